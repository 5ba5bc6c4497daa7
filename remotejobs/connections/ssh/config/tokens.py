"""The tokens of ssh_config: %h and its like, ${VARIABLES}, and ~."""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from remotejobs.errors import UsageError

_PERCENT = re.compile(r"%(.?)", re.DOTALL)
_TOKEN = re.compile(r"%(?P<token>.?)|\$\{(?P<variable>[^}]*)\}", re.DOTALL)
_IN_PROXIES = "hknpr"


@lru_cache(maxsize=1)
def local_user() -> pwd.struct_passwd:
    """The user that runs this, by the user database, as OpenSSH has it; the environment may say something else."""
    try:
        return pwd.getpwuid(os.getuid())
    except KeyError as exc:
        raise UsageError(f"there is no user with the number {os.getuid()}", remedy="Add it to /etc/passwd.") from exc


@dataclass(frozen=True, slots=True)
class TokenValues:
    """What the tokens stand for, of one host."""

    asked: str
    host: str
    port: int
    user: str
    alias: str
    home: str
    local: pwd.struct_passwd

    def tokens(self) -> dict[str, str]:
        here = socket.gethostname()
        return {
            "L": here.partition(".")[0],
            "d": self.home,
            "h": self.host,
            "i": str(self.local.pw_uid),
            "k": self.alias or self.asked,
            "l": here,
            "n": self.asked,
            "p": str(self.port),
            "r": self.user,
            "u": self.local.pw_name,
        }


def expand(value: str, names: TokenValues, what: str, more: Mapping[str, str] | None = None) -> str:
    """`value` of the option `what` with everything filled in; `UsageError` for what stands for nothing."""
    if not any(sign in value for sign in "%$~"):
        return value
    if value.startswith("~"):
        value = _home_of(value, names, what)
    tokens = {**names.tokens(), **(more or {})}

    def filled(match: re.Match[str]) -> str:
        if match["variable"] is not None:
            return _variable(match["variable"], names, what)
        return _token(match["token"], tokens, value, names, what)

    return _TOKEN.sub(filled, value)


def expand_proxy(command: str, names: TokenValues) -> str:
    """A ProxyCommand, which has fewer tokens; the shell sees to the rest of it."""
    tokens = {sign: filled for sign, filled in names.tokens().items() if sign in _IN_PROXIES}
    return _PERCENT.sub(lambda match: _token(match[1], tokens, command, names, "ProxyCommand"), command)


def host_name(value: str, asked: str, *, lower: bool = True) -> str:
    """The name to connect to: HostName, in which %h is the name that was asked for. Addresses stay as they are."""
    name = _PERCENT.sub(lambda match: {"h": asked, "%": "%"}.get(match[1], match[0]), value) if value else asked
    return name.lower() if lower and not is_address(name) else name


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _token(sign: str, tokens: Mapping[str, str], value: str, names: TokenValues, what: str) -> str:
    if sign == "%":
        return "%"
    if sign not in tokens:
        raise UsageError(f"{names.asked}: {what} {value!r}: %{sign} is not known here", remedy="Write it out.")
    return tokens[sign]


def _variable(name: str, names: TokenValues, what: str) -> str:
    if name not in os.environ:
        raise UsageError(
            f"{names.asked}: {what} wants ${{{name}}}, which is not set", remedy="Set it, or write it out."
        )
    return os.environ[name]


def _home_of(value: str, names: TokenValues, what: str) -> str:
    user, slash, rest = value[1:].partition("/")
    if not user:
        return names.home + slash + rest
    try:
        return pwd.getpwnam(user).pw_dir + slash + rest
    except KeyError as exc:
        raise UsageError(f"{names.asked}: {what} {value!r}: there is no user {user}", remedy="Correct it.") from exc
