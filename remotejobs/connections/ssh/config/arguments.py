"""The command line that Ansible would give to ssh, read as options of ssh_config."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from remotejobs.connections.ssh.config.keywords import ALIASES, HONOURED, LISTS, PASSED_OVER, RAW
from remotejobs.errors import UsageError
from remotejobs.inventory.variables import HostLike, flag, place_of, text

# Options that change nothing here, or only how much the program ssh would log and how long it would wait.
HARMLESS_FLAGS = frozenset("ACNTXYanqtvx")
HARMLESS_WITH_VALUE = frozenset("ESe")
OPTION_OF = {
    "B": "bindinterface",
    "I": "pkcs11provider",
    "J": "proxyjump",
    "b": "bindaddress",
    "c": "ciphers",
    "i": "identityfile",
    "l": "user",
    "m": "macs",
    "p": "port",
}
MEANING_OF = {
    "4": (("addressfamily", "inet"),),
    "6": (("addressfamily", "inet6"),),
    "K": (("gssapiauthentication", "yes"), ("gssapidelegatecredentials", "yes")),
    "k": (("gssapidelegatecredentials", "no"),),
}
_HARMLESS = (
    "addkeystoagent batchmode compression connectionattempts controlmaster controlpath controlpersist escapechar "
    "forwardagent forwardx11 forwardx11trusted ipqos loglevel "
    "numberofpasswordprompts rekeylimit requesttty sendenv serveralivecountmax serveraliveinterval setenv "
    "tcpkeepalive updatehostkeys visualhostkey"
)
HARMLESS = frozenset(_HARMLESS.split())
# They mean something to the program ssh alone; over paramiko there is no GSSAPI.
FOR_KERBEROS = frozenset(key for key in PASSED_OVER if key.startswith("gssapi"))

# A command, and lists of files: their own quotation marks mean something later.
KEEPS_QUOTES = (RAW - {"proxyjump"}) | LISTS

_OPTION = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*\S)\s*", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Option:
    """One option by its ssh_config keyword in lower case; `place` is where it was read, for messages."""

    key: str
    value: str
    place: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """What stands on the command line: the options in order (the first of a kind wins) and the file given by -F."""

    options: tuple[Option, ...] = ()
    config: str = ""


def arguments_of(host: HostLike) -> Arguments:
    """The host's variables in the order in which Ansible gives them to ssh; `UsageError` for what is not supported."""
    before = parse(text(host, "ansible_ssh_args"), place_of(host, "ansible_ssh_args"))
    common = parse(text(host, "ansible_ssh_common_args"), place_of(host, "ansible_ssh_common_args"))
    extra = parse(text(host, "ansible_ssh_extra_args"), place_of(host, "ansible_ssh_extra_args"))
    options = (*before.options, *_variables(host), *common.options, *extra.options)
    return Arguments(options, before.config or common.config or extra.config)


def parse(line: str, place: str) -> Arguments:
    """Read `line` as ssh would; `UsageError` names `place` and the option that cannot be honoured."""
    try:
        words = _words(line)
    except ValueError as exc:
        raise UsageError(f"{place}: {exc}", remedy="Close the quotation.") from exc
    options: list[Option] = []
    config = ""
    for letter, value in _letters(words, place):
        if letter in MEANING_OF:
            options += [Option(key, value, place) for key, value in MEANING_OF[letter]]
        elif letter == "F":
            path = _option("F", value, place).value
            config = config or (f"{Path.home()}{path[1:]}" if path.startswith("~/") else path)
        elif letter == "o":
            options += _long_option(value, place)
        else:
            options.append(_option(OPTION_OF[letter], value, place))
    return Arguments(tuple(options), config)


@lru_cache(maxsize=256)
def _words(line: str) -> tuple[str, ...]:
    """Thousands of hosts have the same few lines, and shlex is slow."""
    return tuple(shlex.split(line))


def _letters(words: Iterable[str], place: str) -> Iterator[tuple[str, str]]:
    """The options that take a value and matter, one letter each, as getopt sees them."""
    following = iter(words)
    for word in following:
        if len(word) < 2 or word[0] != "-":
            raise UsageError(f"{place}: {word!r} is not an option", remedy="Only options of ssh may stand here.")
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in HARMLESS_FLAGS:
                continue
            if letter in MEANING_OF:
                yield letter, ""
                continue
            if letter not in OPTION_OF and letter not in "oF" and letter not in HARMLESS_WITH_VALUE:
                raise _unsupported(f"-{letter}", place)
            value, letters = letters or next(following, ""), ""
            if not value:
                raise UsageError(f"{place}: -{letter} needs a value", remedy="Add it.")
            if letter not in HARMLESS_WITH_VALUE:
                yield letter, value


def _long_option(text_: str, place: str) -> Iterator[Option]:
    match = _OPTION.fullmatch(text_)
    if match is None:
        raise UsageError(f"{place}: -o {text_!r} is not of the form Key=value", remedy="Correct it.")
    key, value = match[1].lower(), match[2]
    key = ALIASES.get(key, key)
    if key == "canonicalizehostname" and value.lower() in ("no", "false"):
        return
    if key in HONOURED or key in FOR_KERBEROS:
        yield _option(key, value if key in KEEPS_QUOTES else _unquoted(value), place)
    elif key not in HARMLESS:
        raise _unsupported(f"-o {match[1]}", place)


def _option(key: str, value: str, place: str) -> Option:
    if _CONTROL.search(value):
        raise UsageError(f"{place}: the value of {key} holds a control character", remedy="Remove it.")
    return Option(key, value, place)


def _unquoted(value: str) -> str:
    """The value without quotation marks around the whole of it."""
    whole = len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]
    return value[1:-1] if whole else value


def _unsupported(option: str, place: str) -> UsageError:
    return UsageError(
        f"{place}: {option} is not supported", remedy="Remove it, or say it in ssh_config if it may be missed."
    )


def _variables(host: HostLike) -> Iterator[Option]:
    """The variables that have an option of their own. Ansible names win over one another from the last to the first."""
    aliases = {
        "port": ("ansible_port", "ansible_ssh_port"),
        "identityfile": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
        "user": ("ansible_user", "ansible_ssh_user"),
        "connecttimeout": ("ansible_timeout", "ansible_ssh_timeout"),
        "pkcs11provider": ("ansible_ssh_pkcs11_provider",),
    }
    if not all(
        flag(host, name, default=True) for name in ("ansible_host_key_checking", "ansible_ssh_host_key_checking")
    ):
        yield Option("stricthostkeychecking", "no", place_of(host, "ansible_host_key_checking"))
    for key, names in aliases.items():
        if value := text(host, *names):
            yield _option(key, value, place_of(host, *names))
