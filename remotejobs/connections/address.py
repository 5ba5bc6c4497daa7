"""Where a host is: the address, the port and the user that a connection will really use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from remotejobs.connections.connect import is_local
from remotejobs.inventory.variables import HostLike, masked


def address_of(host: HostLike) -> str:
    """user@address:port, and through which jump hosts, as inventory and ssh_config say it. `local` needs none.

    `UsageError` names what cannot be honoured.
    """
    if is_local(host):
        return "local"
    from remotejobs.connections.ssh.resolve import (
        resolve,  # its tables take longer to make than most command lines to read
    )

    endpoint = resolve(host)
    address = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    through = f" through {', '.join(hop.address for hop in endpoint.via)}" if endpoint.via else ""
    return f"{endpoint.user}@{address}:{endpoint.port}{through}"


def login_user_of(host: HostLike) -> str:
    """The user who logs in there; "" on this machine, where there is no login. `UsageError` as for `address_of`."""
    return masked(host, address_of(host)).rpartition("@")[0]


def addresses_of(hosts: Sequence[HostLike]) -> list[str]:
    """Those of many hosts to be shown, side by side where OpenSSH has to be asked; what a vault says is hidden."""
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as threads:
        return [masked(*pair) for pair in zip(hosts, threads.map(address_of, hosts), strict=True)]
