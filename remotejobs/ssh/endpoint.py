"""Where and how to connect: everything decided before a packet is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from remotejobs.errors import BadUse

SSH_PORT = 22
CONNECT_TIMEOUT = 10.0

_ADDRESS = re.compile(r"[\w:][\w.:-]*(%[\w.-]+)?")
_USER_TROUBLE = re.compile(r"^-|\s|[\x00-\x1f\x7f'\"`;&<>|(){}$]|\\$")


class HostKeyPolicy(StrEnum):
    """StrictHostKeyChecking: only known keys, unknown ones learnt, or whatever comes."""

    STRICT = "yes"
    ACCEPT_NEW = "accept-new"
    OFF = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One sshd, and how to get to it.

    `via` are the jump hosts, nearest first; only the first of the whole way may have a `proxy_command`.
    `known_hosts` can be appended to, `global_known_hosts` is only read. `connect_timeout` is seconds.
    Without `identity_files` the usual ones in ~/.ssh are tried.
    """

    host: str
    address: str
    user: str
    port: int = SSH_PORT
    identity_files: tuple[Path, ...] = ()
    identities_only: bool = False
    password: str | None = field(default=None, repr=False)
    via: tuple[Endpoint, ...] = ()
    proxy_command: str = ""
    known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    host_key_alias: str = ""
    host_keys: HostKeyPolicy = HostKeyPolicy.STRICT
    connect_timeout: float = CONNECT_TIMEOUT

    def __post_init__(self) -> None:
        # These words end up in a ProxyCommand, that is, in a shell.
        if not _ADDRESS.fullmatch(self.address):
            raise BadUse(f"{self.host}: {self.address!r} is not a host's name or address", remedy="Set ansible_host.")
        if not self.user or _USER_TROUBLE.search(self.user):
            raise BadUse(f"{self.host}: {self.user!r} is not a user's name", remedy="Set ansible_user.")

    @property
    def known_as(self) -> str:
        """The name in known_hosts: the alias, the address, or `[address]:port` for another port than 22."""
        if self.host_key_alias:
            return self.host_key_alias
        address = self.address.lower()
        return address if self.port == SSH_PORT else f"[{address}]:{self.port}"

    def __str__(self) -> str:
        through = f" through {', '.join(hop.address for hop in self.via)}" if self.via else ""
        return f"{self.address} port {self.port}{through}"
