"""From a host of the inventory to the connection that its variables ask for."""

from __future__ import annotations

from functools import partial

from remotejobs.connections.base import Connection
from remotejobs.connections.discreet import discreet
from remotejobs.connections.local import LocalConnection
from remotejobs.connections.unlike_ansible import check_no_other_ssh, check_shell
from remotejobs.errors import UsageError
from remotejobs.inventory.variables import HostLike, text

RETRY_FOR = 30.0
_SSH = {"", "smart", "ssh", "paramiko", "paramiko_ssh", "openssh"}


def open_connection(host: HostLike, *, retry_for: float = RETRY_FOR) -> Connection:
    """The way to `host` by its `ansible_connection` and transport; nothing is sent before the first `ask`.

    `retry_for` is how many seconds a connection that was lost or refused in a burst is tried again.
    `UsageError` names a variable or an option of ssh_config that cannot be honoured.
    """
    with discreet(host):
        return _open(host, retry_for)


def check_way(host: HostLike) -> None:
    """`UsageError` names a variable by which `host` could not be reached, of those that Ansible has and SSH has not."""
    check_shell(host)
    if not is_local(host) and transport_of(host) != "openssh":
        check_no_other_ssh(host)


def _open(host: HostLike, retry_for: float) -> Connection:
    check_way(host)
    if is_local(host):
        return LocalConnection(host.name)
    if transport_of(host) == "openssh":
        from remotejobs.connections.ssh.openssh import OpenSshConnection

        return OpenSshConnection(host, retry_for=retry_for)
    # paramiko takes 0.2 s to import, which local hosts and --help need not wait for.
    from remotejobs.connections.ssh.connection import SshConnection
    from remotejobs.connections.ssh.resolve import resolve

    return SshConnection(resolve(host), retry_for=retry_for, discreetly=partial(discreet, host))


def is_local(host: HostLike) -> bool:
    """Whether `host` is this machine by its `ansible_connection`. `UsageError` when that is neither local nor SSH."""
    kind = text(host, "ansible_connection").removeprefix("ansible.builtin.")
    if kind != "local" and kind not in _SSH:
        raise UsageError(f"{host.name}: ansible_connection is {kind!r}", remedy="Use ssh or local.")
    return kind == "local"


def transport_of(host: HostLike) -> str:
    """`paramiko`, or `openssh` for the system's ssh, by `remotejobs_transport` or else `ansible_connection`."""
    wanted = text(host, "remotejobs_transport")
    if not wanted:
        return "openssh" if text(host, "ansible_connection") == "openssh" else "paramiko"
    if wanted not in ("openssh", "paramiko"):
        raise UsageError(f"{host.name}: remotejobs_transport is {wanted!r}", remedy="Use openssh or paramiko.")
    return wanted
