"""From a host of the inventory to the connection that its variables ask for."""

from __future__ import annotations

from remotejobs.connection import Connection
from remotejobs.errors import BadUse
from remotejobs.local import LocalConnection
from remotejobs.variables import Host, text

RETRY_FOR = 30.0
_SSH = {"", "smart", "ssh", "paramiko", "paramiko_ssh"}


def open_connection(host: Host, *, retry_for: float = RETRY_FOR) -> Connection:
    """The way to `host` by its `ansible_connection`; nothing is sent before the first `ask`.

    `retry_for` is how many seconds a connection that was lost or refused in a burst is tried again.
    `BadUse` names a variable or an option of ssh_config that cannot be honoured.
    """
    if is_local(host):
        return LocalConnection(host.name)
    # paramiko takes 0.2 s to import, which those who only want local hosts or --help need not wait for.
    from remotejobs.ssh import SshConnection, resolve

    return SshConnection(resolve(host), retry_for=retry_for)


def is_local(host: Host) -> bool:
    """Whether `host` is this machine by its `ansible_connection`. `BadUse` when that is neither local nor SSH."""
    kind = text(host, "ansible_connection").removeprefix("ansible.builtin.")
    if kind != "local" and kind not in _SSH:
        raise BadUse(f"{host.name}: ansible_connection is {kind!r}", remedy="Use ssh or local.")
    return kind == "local"
