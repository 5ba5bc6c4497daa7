"""The filters `ipaddr`, `ipv4`, `ipv6`, `ipwrap` of the collection ansible.utils, without its netaddr."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface, ip_network
from socket import AF_INET6, inet_ntop
from typing import Any

_LINK_LOCAL = {4: ip_network("169.254.0.0/16"), 6: ip_network("fe80::/10")}


@dataclass(frozen=True, slots=True)
class Given:
    """An address, in its network; `said_prefix`: the text that it was has a `/` in it."""

    one: IPv4Interface | IPv6Interface
    said_prefix: bool

    @property
    def ip(self) -> IPv4Address | IPv6Address:
        return self.one.ip

    @property
    def prefix(self) -> int:
        return self.one.network.prefixlen

    @property
    def size(self) -> int:
        return self.one.network.num_addresses

    @property
    def first(self) -> IPv4Address | IPv6Address:
        return self.one.network.network_address

    @property
    def last(self) -> IPv4Address | IPv6Address:
        return self.one.network.broadcast_address

    @property
    def is_first(self) -> bool:
        """Whether it is the network itself; of two addresses, both are hosts."""
        return self.ip == self.first and self.size > 2

    @property
    def usable(self) -> tuple[int, int]:
        """The first and the last address that a host may have. `ValueError` for a single address."""
        if not self.said_prefix:
            raise ValueError("an address alone is no network")
        inside = self.size > 2
        return int(self.first) + inside, int(self.last) - inside

    def address(self, number: int) -> str:
        return written(type(self.ip)(number))

    def usable_or_none(self, number: int) -> str | None:
        low, high = self.usable
        return self.address(number) if self.size > 1 and low <= number <= high else None


def written(ip: IPv4Address | IPv6Address) -> str:
    """As the system writes it: an IPv4 address inside of an IPv6 one keeps its dots."""
    return str(ip) if isinstance(ip, IPv4Address) else inet_ntop(AF_INET6, ip.packed)


def given(value: Any, version: int | None = None) -> Given | None:
    """What `value` says, a number too; None where it is no address."""
    text = str(value)
    address, slash, prefix = text.partition("/")
    try:
        if not address.isdecimal():
            return None if "%" in address else Given(ip_interface(text), bool(slash))
        if slash and not prefix.isdecimal():
            return None
        number = IPv6Address(int(address)) if version == 6 and not slash else ip_address(int(address))
        return Given(ip_interface(f"{number}{slash}{prefix}"), bool(slash))
    except ValueError:
        return None


def _peer(one: Given) -> str:
    low, _ = one.usable
    if one.size == 2:
        return one.address(int(one.ip) ^ 1)
    if one.size != 4 or one.ip in (one.first, one.last):
        raise ValueError("only a host of a network of two has a peer")
    return one.address(int(one.ip) ^ 3 if low else int(one.ip))


def _edge(one: Given, which: int) -> str | None:
    ends = one.usable
    return one.address(ends[which]) if one.size > 1 else None


def _range(one: Given) -> str | None:
    low, high = one.usable
    return f"{one.address(low)}-{one.address(high)}" if one.size > 1 else None


def _with_prefix(one: Given) -> str:
    return f"{written(one.ip)}/{one.prefix}"


def _gateway(one: Given) -> str | bool:
    return False if one.size > 2 and one.ip in (one.first, one.last) else _with_prefix(one)


def _unless_network(one: Given, said: str) -> str | None:
    return said if one.size == 2 or (one.size > 1 and one.ip != one.first) else None


def _ipv6(one: Given) -> str:
    return _with_prefix(one) if one.one.version == 6 else f"::ffff:{one.ip}/{one.prefix + 96}"


def _ipv4(one: Given) -> str | bool:
    if one.one.version == 4:
        return _with_prefix(one)
    number = int(one.ip)
    inside = number >> 32 in (0, 0xFFFF) and one.prefix >= 96
    return f"{IPv4Address(number & 0xFFFFFFFF)}/{one.prefix - 96}" if inside else False


def _wrap(one: Given) -> str:
    return f"[{written(one.ip)}]" + (f"/{one.prefix}" if one.said_prefix else "")


def _is_global(one: Given) -> bool:
    is_mapped = isinstance(one.ip, IPv6Address) and one.ip.ipv4_mapped is not None
    return one.ip.is_global and not is_mapped


def _is_public(one: Given) -> bool:
    number, bits = int(one.ip), one.ip.max_prefixlen
    inverse = number ^ ((1 << bits) - 1)
    is_mask = not number & (number + 1) or not inverse & (inverse + 1)
    return _is_global(one) and not one.ip.is_multicast and not is_mask


_QUERIES: dict[str, Callable[[Given], Any]] = {
    "": lambda one: _with_prefix(one) if one.said_prefix else written(one.ip),
    **dict.fromkeys(("address", "ip"), lambda one: None if one.is_first and one.one.version == 4 else written(one.ip)),
    **dict.fromkeys(("address/prefix", "gateway", "gw", "host/prefix", "hostnet", "router"), _gateway),
    "bool": lambda _: True,
    "broadcast": lambda one: written(one.last) if one.size > 2 else None,
    "cidr": _with_prefix,
    "first_usable": lambda one: _edge(one, 0),
    "last_usable": lambda one: _edge(one, 1),
    "next_usable": lambda one: one.usable_or_none(int(one.ip) + 1),
    "previous_usable": lambda one: one.usable_or_none(int(one.ip) - 1),
    "range_usable": _range,
    "size_usable": lambda one: {1: 0, 2: 2}.get(one.size, one.size - 2),
    "host": lambda one: None if one.is_first else _with_prefix(one),
    **dict.fromkeys(("hostmask", "wildcard"), lambda one: str(one.one.network.hostmask)),
    "int": lambda one: f"{int(one.ip)}/{one.prefix}" if one.said_prefix else int(one.ip),
    "ip/prefix": lambda one: _unless_network(one, _with_prefix(one)),
    "ip_netmask": lambda one: _unless_network(one, f"{one.ip} {one.one.network.netmask}"),
    "net": lambda one: _with_prefix(one) if one.size > 1 and one.ip == one.first else None,
    "netmask": lambda one: str(one.one.network.netmask),
    **dict.fromkeys(("network", "network_id"), lambda one: written(one.first)),
    **dict.fromkeys(("subnet", "network/prefix"), lambda one: f"{written(one.first)}/{one.prefix}"),
    "network_netmask": lambda one: f"{written(one.first)} {one.one.network.netmask}",
    "network_wildcard": lambda one: f"{written(one.first)} {one.one.network.hostmask}",
    "peer": _peer,
    "prefix": lambda one: one.prefix,
    "revdns": lambda one: f"{one.ip.reverse_pointer}.",
    "size": lambda one: one.size,
    "type": lambda one: "network" if one.size > 1 and one.ip == one.first else "address",
    "version": lambda one: one.one.version,
}  # fmt: skip
# Those that give the value as it was written, or None.
_KINDS: dict[str, Callable[[Given], bool]] = {
    "private": lambda one: not _is_global(one),
    "public": _is_public,
    "loopback": lambda one: one.ip.is_loopback,
    "lo": lambda one: one.ip.is_loopback,
    "multicast": lambda one: one.ip.is_multicast,
    "unicast": lambda one: not one.ip.is_multicast,
    "link-local": lambda one: one.ip in _LINK_LOCAL[one.one.version],
}
_CONVERSIONS: dict[str, tuple[int, Callable[[Given], Any]]] = {
    "ipv4": (6, _ipv4),
    "ipv6": (4, _ipv6),
    "wrap": (6, _wrap),
}


def ipaddr(value: Any, query: Any = "", version: int | None = None) -> Any:
    """The address, or what is asked of it; False for what is none, and of a list only what is one."""
    if isinstance(value, list | tuple):
        return [found for item in value if (found := ipaddr(item, query, version))]
    one = None if value is True or not value else given(value, version)
    if one is None or (version and one.one.version != version):
        return False
    if str(value).partition("/")[0].isdecimal():
        value = _with_prefix(one)
    asked = str(query)
    if asked in _QUERIES:
        return _QUERIES[asked](one)
    if asked in _KINDS:
        return value if _KINDS[asked](one) else None
    if asked in _CONVERSIONS:
        of_version, convert = _CONVERSIONS[asked]
        return convert(one) if one.one.version == of_version else value
    if asked.removeprefix("-").isdecimal():
        return _nth(one, int(asked))
    return value if _is_within(one, asked) else None


def ipv4(value: Any, query: Any = "") -> Any:
    return ipaddr(value, query, 4)


def ipv6(value: Any, query: Any = "") -> Any:
    return ipaddr(value, query, 6)


def ipwrap(value: Any, query: Any = "") -> Any:
    """An IPv6 address in brackets; anything else as it is."""
    if isinstance(value, list | tuple):
        return [ipwrap(item, query) for item in value]
    found = ipaddr(value, query)
    return ipaddr(found, "wrap") if found else value


def _nth(one: Given, number: int) -> str | bool:
    if one.size == 1:
        return _with_prefix(one) if one.said_prefix else written(one.ip)
    try:
        return f"{written(one.one.network[number])}/{one.prefix}"
    except IndexError:
        return False


def _is_within(one: Given, query: str) -> bool:
    outer = given(query)
    if outer is None:
        known = (*filter(None, _QUERIES), *_KINDS, *_CONVERSIONS)
        raise ValueError(f"ipaddr cannot be asked {query!r}; known are {', '.join(known)}, a number, and a network")
    low, high = outer.first, outer.last
    return one.one.version == outer.one.version and int(low) <= int(one.first) and int(one.last) <= int(high)
