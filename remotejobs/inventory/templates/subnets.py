"""The filters of ansible.utils that count addresses and networks: `ipsubnet`, `nthhost`, `ipmath` and their like."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

from remotejobs.inventory.templates.addresses import Given, given, ipaddr, ipv4, ipv6, ipwrap, written

Network = IPv4Network | IPv6Network


def ipsubnet(value: Any, query: Any = "", index: Any = None) -> Any:
    """The network; of `query` bits how many there are in it, or the one at `index`; or its number in a network."""
    one = given(value)
    if one is None or not value:
        return False
    network = one.one.network
    asked = str(query)
    if not asked:
        return _said(network)
    if not asked.isdecimal():
        return _number_in(network, asked)
    bits = int(asked)
    if bits > network.max_prefixlen:
        return False
    return _subnet(network, bits, index) if network.prefixlen < network.max_prefixlen else _above(network, bits, index)


def _subnet(network: Network, bits: int, index: Any) -> Any:
    if bits < network.prefixlen:
        raise ValueError(f"ipsubnet: a network of {network.prefixlen} bits has none of {bits} in it")
    count = 1 << (bits - network.prefixlen)
    if index is None:
        return str(count)
    number = int(index) + (count if int(index) < 0 else 0)
    if not 0 <= number < count:
        return False
    first = int(network.network_address) + (number << (network.max_prefixlen - bits))
    return f"{written(type(network.network_address)(first))}/{bits}"


def _above(network: Network, bits: int, index: Any) -> Any:
    """Of one address the networks that it is in, from `bits` on."""
    above = [network.supernet(new_prefix=number) for number in range(bits, network.max_prefixlen)]
    try:
        return _said(above[0 if index is None else int(index)])
    except IndexError:
        return False


def _number_in(network: Network, text: str) -> str:
    outer = given(text)
    if outer is None:
        raise ValueError(f"ipsubnet: {text!r} is no number of bits and no network")
    inside = outer.one.version == network.version and outer.prefix <= network.prefixlen
    shift = network.max_prefixlen - network.prefixlen
    distance = int(network.network_address) - int(outer.first)
    if not inside or not 0 <= distance < outer.size:
        raise ValueError("ipsubnet: the one is not in the other")
    return str((distance >> shift) + 1)


def nthhost(value: Any, query: Any = "") -> Any:
    """The address at that place of the network, counted from 0."""
    one = given(value)
    if one is None or not query or not str(query).removeprefix("-").isdecimal() or one.size <= int(query):
        return False
    return written(one.one.network[int(query)])


def next_nth_usable(value: Any, offset: int) -> Any:
    """The usable address so many behind this one; None where the network ends before."""
    one = given(value)
    if one is None or not value:
        return False
    if not isinstance(offset, int):
        raise ValueError("next_nth_usable: it takes a whole number")
    return replace(one, said_prefix=True).usable_or_none(int(one.ip) + offset)


def previous_nth_usable(value: Any, offset: int) -> Any:
    return next_nth_usable(value, -offset)


def ipmath(value: Any, amount: int) -> str:
    """The address so many further on."""
    one = given(value) if isinstance(value, str) else None
    if one is None:
        raise ValueError("ipmath: this is no address")
    if not isinstance(amount, int):
        raise ValueError("ipmath: it takes a whole number")
    return one.address(int(one.ip) + amount)


def network_in_network(value: Any, test: Any) -> bool:
    """Whether `test` is in the network `value`."""
    outer, inner = given(value), given(test)
    return outer is not None and inner is not None and _is_in(inner, outer, int(outer.first), int(outer.last))


def network_in_usable(value: Any, test: Any) -> bool:
    """The same, without the network's own address and its broadcast."""
    outer, inner = given(value), given(test)
    if outer is None or inner is None:
        return False
    return _is_in(inner, outer, *replace(outer, said_prefix=True).usable)


def reduce_on_network(value: Iterable[Any], network: Any) -> list[Any]:
    """Those of the addresses that are in the network."""
    return [one for one in value if network_in_network(network, one)]


def _is_in(inner: Given, outer: Given, low: int, high: int) -> bool:
    same = inner.one.version == outer.one.version
    return same and low <= int(inner.first) and int(inner.last) <= high


def cidr_merge(value: Iterable[Any], action: str = "merge") -> list[str] | str | None:
    """As few networks as possible that hold all of these and nothing else; with `span` the one that holds them all."""
    networks = [ip_network(str(item), strict=False) for item in value]
    if action == "merge":
        return [_said(one) for version in (4, 6) for one in _collapsed(networks, version)]
    if action != "span":
        raise ValueError(f"cidr_merge: {action!r} is neither merge nor span")
    if not networks:
        return None
    spanning = networks[0]
    while not all(one.version == spanning.version and _holds(spanning, one) for one in networks):
        if not spanning.prefixlen:
            raise ValueError("cidr_merge: no network holds IPv4 and IPv6")
        spanning = spanning.supernet()
    return _said(spanning)


def _collapsed(networks: Iterable[Network], version: int) -> Iterable[Any]:
    same: Any = [one for one in networks if one.version == version]
    return collapse_addresses(same)


def _holds(outer: Network, inner: Network) -> bool:
    return outer.network_address <= inner.network_address and inner.broadcast_address <= outer.broadcast_address  # type: ignore[operator]


def _said(network: Network) -> str:
    return f"{written(network.network_address)}/{network.prefixlen}"


FILTERS: dict[str, Callable[..., Any]] = {
    call.__name__: call
    for call in (
        ipaddr, ipv4, ipv6, ipwrap, ipsubnet, ipmath, nthhost, next_nth_usable, previous_nth_usable,
        network_in_network, network_in_usable, reduce_on_network, cidr_merge,
    )
}  # fmt: skip
