"""Where and how to connect: everything decided before a packet is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from remotejobs.connections.ssh.config.tokens import TokenValues
from remotejobs.errors import UsageError

SSH_PORT = 22
CONNECT_TIMEOUT = 10.0
LEAST_RSA_BITS = 1024

_ADDRESS = re.compile(r"[\w:][\w.:-]*(%[\w.-]+)?")
_USER_TROUBLE = re.compile(r"^-|\s|[\x00-\x1f\x7f'\"`;&<>|(){}$]|\\$")


class HostKeyPolicy(StrEnum):
    """StrictHostKeyChecking: only known keys, unknown ones learnt, or whatever comes."""

    STRICT = "yes"
    ACCEPT_NEW = "accept-new"
    OFF = "no"


# What needs no human, in OpenSSH's order.
METHODS = ("publickey", "keyboard-interactive", "password")


@dataclass(frozen=True, slots=True)
class Algorithms:
    """The lists of ssh_config as they are written (`+`, `-` and `^` change the usual list); "" for the usual one."""

    kex: str = ""
    ciphers: str = ""
    macs: str = ""
    host_keys: str = ""
    public_keys: str = ""
    authorities: str = ""
    least_rsa_bits: int = LEAST_RSA_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One sshd, and how to get to it.

    `via` are the jump hosts, nearest first; only the first of the whole way may have a `proxy_command`.
    `known_hosts` can be appended to, `global_known_hosts` is only read. `connect_timeout` is seconds.
    With `usual_identities` the keys in ~/.ssh are tried that exist. `identity_agent` is "" for the agent of the
    environment, and else its socket or `none`. `methods` are the ways to log in that may be tried, in their order;
    `untried` are those among them that cannot be tried here. `asked_as` is the name that ssh_config was asked for, and
    `names` what its tokens stand for.
    """

    host: str
    address: str
    user: str
    port: int = SSH_PORT
    identity_files: tuple[Path, ...] = ()
    usual_identities: bool = True
    certificate_files: tuple[Path, ...] = ()
    identities_only: bool = False
    identity_agent: str = ""
    methods: tuple[str, ...] = METHODS
    untried: tuple[str, ...] = ()
    algorithms: Algorithms = Algorithms()
    password: str | None = field(default=None, repr=False)
    via: tuple[Endpoint, ...] = ()
    proxy_command: str = ""
    known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    known_hosts_command: str = ""
    revoked_host_keys: Path | None = None
    host_key_alias: str = ""
    asked_as: str = ""
    names: TokenValues | None = field(default=None, repr=False)
    asks_dns: bool = False
    checks_address: bool = False
    trusts_localhost: bool = False
    hashes_known_hosts: bool = False
    address_family: str = "any"
    bind_address: str = ""
    bind_interface: str = ""
    host_keys: HostKeyPolicy = HostKeyPolicy.STRICT
    connect_timeout: float = CONNECT_TIMEOUT

    def __post_init__(self) -> None:
        check_address(self.host, self.address)
        check_user(self.host, self.user)

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


def check_address(host: str, address: str) -> None:
    """These words end up in a ProxyCommand, that is, in a shell; `UsageError` for what could be misread there."""
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"{host}: {address!r} is not a host's name or address", remedy="Set ansible_host.")


def check_user(host: str, user: str) -> None:
    """As `check_address`, for the user who logs in."""
    if not user or _USER_TROUBLE.search(user):
        raise UsageError(f"{host}: {user!r} is not a user's name", remedy="Set ansible_user.")
