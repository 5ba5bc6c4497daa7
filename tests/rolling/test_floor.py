"""What is left of a backend when a host is taken out of it."""

from __future__ import annotations

import pytest

from remotejobs.operations.balancers import Pool, PoolServer
from remotejobs.operations.balancers.haproxy_words import HaproxyServer, pools_of
from remotejobs.operations.rolling.floor import full_count, reserve


def pool(*others: PoolServer) -> Pool:
    return Pool(name="app on lb1", others=others)


def server(name: str, share: float = 1, *, backup: bool = False) -> PoolServer:
    return PoolServer(name=name, host=name, share=share, backup=backup, why="" if share else "weight 0")


def test_a_server_of_weight_0_does_not_count_though_it_is_up() -> None:
    left = reserve(pool(server("web2", 0), server("web3", 0), server("web4", 0)), "50%", {})
    assert not left.enough
    assert left.words == (
        "only 0 of 3 other servers of app on lb1 serve, 2 must, not web2 (weight 0), web3 (weight 0), web4 (weight 0)"
    )


def test_servers_in_slow_start_count_for_the_share_that_they_get_by_now() -> None:
    assert not reserve(pool(server("web2"), server("web3", 0.3)), 2, {}).enough
    assert reserve(pool(server("web2"), *(server(f"web{n}", 1 / 3) for n in (3, 4, 5))), 2, {}).enough


def test_a_host_that_is_not_healthy_for_the_update_does_not_count_though_the_balancer_sees_it_up() -> None:
    left = reserve(pool(server("web2"), server("web3")), "100%", {"web3": "status 503"})
    assert (left.enough, left.missing) == (False, ("web3 (status 503)",))


@pytest.mark.parametrize(
    ("others", "floor", "enough"),
    [
        # While one active server serves, backup servers get nothing.
        ((server("a"), server("b", 0), server("spare", backup=True)), "100%", False),
        ((server("a", 0), server("b", 0), server("c", 0), server("spare", backup=True)), "50%", False),
        # Of a pair the other one takes over, and of several backup servers the first that is up.
        ((server("spare", backup=True),), "50%", True),
        ((server("spare", 0, backup=True),), "50%", False),
        ((server("one", 0, backup=True), server("two", backup=True)), "100%", True),
        ((server("active"), server("spare", 0, backup=True)), "50%", True),
    ],
)
def test_backup_servers_count_only_where_they_would_get_the_requests(
    others: tuple[PoolServer, ...], floor: str, enough: bool
) -> None:
    assert reserve(pool(*others), floor, {}).enough is enough


def test_more_servers_than_there_are_can_never_serve() -> None:
    left = reserve(pool(server("web2"), server("x", backup=True)), 2, {})
    assert (left.possible, left.words) == (
        False,
        "2 other servers of app on lb1 must serve, and there are only 1",
    )


def haproxy_server(name: str, backend: str = "app", **facts: object) -> HaproxyServer:
    return HaproxyServer(backend=backend, name=name, **({"status": "UP"} | facts))  # type: ignore[arg-type]


def test_every_server_of_the_backend_is_in_the_pool_but_the_hosts_own_and_free_slots() -> None:
    there = [
        haproxy_server("web1"),
        haproxy_server("web2"),
        haproxy_server("legacy", status="DOWN"),
        haproxy_server("slot7", state="maint", resolved=False),
        haproxy_server("web1", "api"),
        haproxy_server("api2", "api", weight=5, configured=10),
        haproxy_server("zero", weight=0, user_weight=0, configured=100),
        haproxy_server("idle", weight=0, user_weight=0, configured=0),
        haproxy_server("elsewhere", "other"),
    ]
    app, api = pools_of(there, [there[0], there[4]], {"web2": "host2"}, "lb1")
    assert app.others == (
        PoolServer(name="web2", host="host2"),
        PoolServer(name="legacy", share=0, why="DOWN"),
        PoolServer(name="zero", share=0, why="weight 0", out=True),
        PoolServer(name="idle", share=0, why="weight 0", out=True),
    )
    assert api == Pool(name="api on lb1", others=(PoolServer(name="api2", share=0.5, why="weight 5 of 10"),))


def test_with_spare_hosts_all_that_should_serve_must_whatever_the_floor_is() -> None:
    """web1 leaves; web9 stands in for it; an operator keeps the server legacy out, and the host web4 since before."""
    others = pool(
        server("web2"),
        server("web3"),
        server("web4", 0),
        server("web9"),
        PoolServer(name="legacy", share=0, out=True),
        server("backup", backup=True),
    )
    assert full_count(others, "web1", aside=("web9", "web4")) == 3
    assert reserve(others, 1, {}, 3).enough
    assert not reserve(others, 1, {"web2": "status 503"}, 3).enough
    # And when web9 leaves again:
    back = pool(server("web1"), *(each for each in others.others if each.name != "web9"))
    assert full_count(back, "web9", aside=("web9", "web4")) == 3
    assert reserve(back, 1, {}, 3).enough


def test_a_host_that_this_update_took_out_is_missing_from_the_full_count() -> None:
    batch = pool(PoolServer(name="web2", host="web2", share=0, out=True), server("web3"), server("web9"))
    assert full_count(batch, "web1", aside=("web9",)) == 3
    assert not reserve(batch, 1, {}, 3).enough
