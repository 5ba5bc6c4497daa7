"""ProxyJump: `user@host:port,host`, each also as `ssh://user@host:port` or with `[::1]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remotejobs.errors import UsageError

_HOP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<ip>[^\]]+)\]|(?P<name>[^:\[\]/]+))(?::(?P<port>\d+))?/?")


@dataclass(frozen=True, slots=True)
class Jump:
    """One jump host as it is written; "" is for what is left to ssh_config."""

    name: str
    user: str = ""
    port: str = ""


def parse_jumps(value: str, place: str) -> tuple[Jump, ...]:
    """Read the value of ProxyJump, nearest hop first; () for `none`. `UsageError` names `place`."""
    if value.strip().lower() in ("", "none"):
        return ()
    jumps = []
    for word in value.split(","):
        match = _HOP.fullmatch(word.strip())
        if match is None:
            raise UsageError(
                f"{place}: ProxyJump {word.strip()!r} is not of the form user@host:port", remedy="Correct it."
            )
        jumps.append(Jump(match["ip"] or match["name"], match["user"] or "", match["port"] or ""))
    return tuple(jumps)
