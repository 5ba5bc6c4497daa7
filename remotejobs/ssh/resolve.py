"""From a host's variables and ssh_config to an `Endpoint`, without touching the network."""

from __future__ import annotations

import getpass
import shlex
from dataclasses import replace
from pathlib import Path

from remotejobs.errors import BadUse
from remotejobs.ssh.arguments import Arguments, Option, arguments_of
from remotejobs.ssh.config import Settings, lookup
from remotejobs.ssh.endpoint import CONNECT_TIMEOUT, SSH_PORT, Endpoint, HostKeyPolicy
from remotejobs.ssh.jump import Jump, parse_jumps
from remotejobs.variables import Host, text

MOST_JUMPS = 8
KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
GLOBAL_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
POLICIES = {
    "yes": HostKeyPolicy.STRICT,
    "ask": HostKeyPolicy.STRICT,
    "true": HostKeyPolicy.STRICT,
    "accept-new": HostKeyPolicy.ACCEPT_NEW,
    "no": HostKeyPolicy.OFF,
    "off": HostKeyPolicy.OFF,
    "false": HostKeyPolicy.OFF,
}


def resolve(host: Host) -> Endpoint:
    """How to reach `host`, as Ansible and OpenSSH would; `BadUse` names what cannot be honoured, and where."""
    arguments = arguments_of(host)
    address = text(host, "ansible_host", "ansible_ssh_host") or host.name
    password = text(host, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password") or None
    return replace(_endpoint(host.name, address, arguments, MOST_JUMPS), password=password)


def _endpoint(host: str, name: str, arguments: Arguments, jumps_left: int) -> Endpoint:
    settings = lookup(name, arguments.options, arguments.config)
    jumps, command = _proxy(host, settings, arguments.options)
    return Endpoint(
        host=host,
        address=settings.get("hostname") or name,
        port=_port(host, settings.get("port")),
        user=settings.get("user") or getpass.getuser(),
        identity_files=tuple(Path(path) for path in settings.all("identityfile") if path.lower() != "none"),
        identities_only=settings.get("identitiesonly").lower() in ("yes", "true"),
        via=_via(host, jumps, arguments.config, jumps_left),
        proxy_command=command,
        known_hosts=_files(host, settings.get("userknownhostsfile") or KNOWN_HOSTS),
        global_known_hosts=_files(host, settings.get("globalknownhostsfile") or GLOBAL_KNOWN_HOSTS),
        host_key_alias=settings.get("hostkeyalias"),
        host_keys=_policy(host, settings.get("stricthostkeychecking").lower() or "ask"),
        connect_timeout=_seconds(host, settings.get("connecttimeout")),
    )


def _proxy(host: str, settings: Settings, options: tuple[Option, ...]) -> tuple[tuple[Jump, ...], str]:
    """ProxyJump or ProxyCommand: the one on the command line wins, whatever ssh_config says of the other."""
    command = settings.get("proxycommand")
    command = "" if command.lower() == "none" else command
    said = [option.key for option in options if option.key in ("proxyjump", "proxycommand")]
    if said and said[0] == "proxycommand":
        return (), command
    jumps = parse_jumps(settings.get("proxyjump"), host)
    return (jumps, "") if jumps or said else ((), command)


def _via(host: str, jumps: tuple[Jump, ...], config: str, jumps_left: int) -> tuple[Endpoint, ...]:
    """The whole way through the jump hosts. As with OpenSSH, they get the -F of the command line and nothing else."""
    if len(jumps) > jumps_left:
        raise BadUse(f"{host}: ProxyJump needs more than {MOST_JUMPS} hops", remedy="Look for a circle in ssh_config.")
    way: tuple[Endpoint, ...] = ()
    for jump in jumps:
        place = f"{host}: ProxyJump"
        said = [("user", jump.user), ("port", jump.port), ("proxyjump", "none" if way else "")]
        options = tuple(Option(key, value, place) for key, value in said if value)
        hop = _endpoint(host, jump.name, Arguments(options, config), jumps_left - len(jumps))
        way = (*way, *hop.via, replace(hop, via=()))
    return way


def _port(host: str, value: str) -> int:
    if not value:
        return SSH_PORT
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise BadUse(f"{host}: port {value!r} is not between 1 and 65535", remedy="Correct ansible_port.")
    return int(value)


def _seconds(host: str, value: str) -> float:
    if value.lower() in ("", "none", "0"):
        return CONNECT_TIMEOUT
    if not (value.isascii() and value.isdigit()):
        raise BadUse(f"{host}: ConnectTimeout {value!r} is not a number of seconds", remedy="Correct it.")
    return float(value)


def _policy(host: str, value: str) -> HostKeyPolicy:
    if value not in POLICIES:
        raise BadUse(f"{host}: StrictHostKeyChecking {value!r} is unknown", remedy="Use yes, accept-new or no.")
    return POLICIES[value]


def _files(host: str, value: str) -> tuple[Path, ...]:
    if value.lower() == "none":
        return ()
    try:
        words = shlex.split(value.replace("%d", str(Path.home())))
    except ValueError as exc:
        raise BadUse(f"{host}: UserKnownHostsFile {value!r}: {exc}", remedy="Close the quotation.") from exc
    return tuple(Path(word).expanduser() for word in words)
