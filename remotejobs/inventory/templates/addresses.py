"""The filters `ipaddr`, `ipv4`, `ipv6`, `ipwrap` of Ansible's collection for networks, as inventories use them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Interface, IPv6Interface, ip_interface, ip_network
from typing import Any

Interface = IPv4Interface | IPv6Interface

_QUERIES: dict[str, Callable[[Interface], Any]] = {
    "address": lambda one: str(one.ip),
    "ip": lambda one: str(one.ip),
    "host": str,
    "broadcast": lambda one: str(one.network.broadcast_address) if one.network.num_addresses > 1 else None,
    "net": lambda one: str(one.network) if one.ip == one.network.network_address else None,
    "network": lambda one: str(one.network.network_address),
    "netmask": lambda one: str(one.network.netmask),
    "hostmask": lambda one: str(one.network.hostmask),
    "prefix": lambda one: one.network.prefixlen,
    "subnet": lambda one: str(one.network),
    "size": lambda one: one.network.num_addresses,
    "version": lambda one: one.version,
    "int": lambda one: int(one.ip),
}
_KINDS: dict[str, Callable[[Interface], bool]] = {
    "private": lambda one: one.is_private,
    "public": lambda one: one.is_global,
    "loopback": lambda one: one.is_loopback,
    "multicast": lambda one: one.is_multicast,
}


def ipaddr(value: Any, query: Any = "", version: int | None = None) -> Any:
    """The address, or what is asked of it; False for what is none, and of a list only what is one."""
    if isinstance(value, list | tuple):
        return [found for item in value if (found := ipaddr(item, query, version)) not in (None, False)]
    try:
        interface = ip_interface(value if isinstance(value, int) and not isinstance(value, bool) else str(value))
    except ValueError:
        return False
    if version and interface.version != version:
        return False
    if isinstance(query, int):
        return _nth(interface, query)
    if not query:
        return value
    if query in _QUERIES:
        return _QUERIES[query](interface)
    if query in _KINDS:
        return value if _KINDS[query](interface) else None
    try:
        network = ip_network(str(query))
    except ValueError as exc:
        raise ValueError(f"ipaddr cannot be asked {query!r}; known are {', '.join((*_QUERIES, *_KINDS))}") from exc
    within = network.version == interface.version and interface.ip in network
    return value if within else None


def ipv4(value: Any, query: Any = "") -> Any:
    return ipaddr(value, query, 4)


def ipv6(value: Any, query: Any = "") -> Any:
    return ipaddr(value, query, 6)


def ipwrap(value: Any, query: Any = "") -> Any:
    """An IPv6 address in brackets; anything else as it is."""
    if isinstance(value, list | tuple):
        return [ipwrap(item, query) for item in value]
    found = ipaddr(value, query, 6)
    if not found:
        return value
    address, slash, prefix = str(found).partition("/")
    return f"[{address}]{slash}{prefix}"


def _nth(interface: Interface, number: int) -> str | None:
    try:
        return f"{interface.network[number]}/{interface.network.prefixlen}"
    except IndexError:
        return None
