"""Where a host is, as far as the inventory says it."""

from __future__ import annotations

from remotejobs.variables import Host, text


def address_of(host: Host) -> str:
    """user@address:port as far as the inventory says it; ssh_config may say more. `local` needs none."""
    if text(host, "ansible_connection").removeprefix("ansible.builtin.") == "local":
        return "local"
    user, port = text(host, "ansible_user"), text(host, "ansible_port")
    address = text(host, "ansible_host") or host.name
    if port and ":" in address:
        address = f"[{address}]"
    return f"{user}@{address}".removeprefix("@") + (f":{port}" if port else "")
