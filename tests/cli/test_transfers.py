"""What `push` and `pull` share: how many hosts at a time, and in which order they are reported."""

from __future__ import annotations

import json
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator

import pytest

from remotejobs.cli.transfers import transfer
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import Fleet
from remotejobs.operations.transfer import Ends, Moved, Transferred
from tests.cli.conftest import Hosts
from tests.cli.running import remotejobs


@pytest.fixture
def fleet(local_hosts: Hosts) -> Iterator[Fleet]:
    with Fleet(load_inventory(local_hosts.inventory).select("all")) as fleet:
        yield fleet


def nothing_of(host: str) -> Transferred:
    return Transferred(host=host, path="/x", bytes=0, sha256="")


@pytest.mark.parametrize(("forks", "meet"), [(1, 0), (2, 2)])
def test_no_more_hosts_at_a_time_than_forks(fleet: Fleet, forks: int, meet: int) -> None:
    met: list[str] = []
    both = threading.Barrier(2)

    def work(ends: Ends, _report: Callable[[Moved], None]) -> Transferred:
        try:
            both.wait(10 if meet else 1)
        except threading.BrokenBarrierError:
            return nothing_of(ends.files.host)
        met.append(ends.files.host)
        return nothing_of(ends.files.host)

    assert transfer(fleet, Namespace(forks=forks, json=True), work) == 0
    assert len(met) == meet


def test_hosts_are_reported_in_the_order_of_the_inventory(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    second_ended = threading.Event()

    def work(ends: Ends, _report: Callable[[Moved], None]) -> Transferred:
        if ends.files.host == "here":
            assert second_ended.wait(60)
        else:
            second_ended.set()
        return nothing_of(ends.files.host)

    transfer(fleet, Namespace(forks=None, json=True), work)
    assert [json.loads(line)["host"] for line in capsys.readouterr().out.splitlines()] == ["here", "too"]


@pytest.mark.parametrize("words", [["push", "all", "/etc/hostname", "/x"], ["pull", "all", "/etc/hostname", "/x"]])
def test_an_option_that_would_do_nothing_is_refused(words: list[str]) -> None:
    ended = remotejobs(*words, "-v")
    assert (ended.code, "unknown: -v" in ended.err) == (1, True)


def test_a_place_here_that_cannot_be_ends_in_one_line(local_hosts: Hosts) -> None:
    ended = remotejobs("pull", "here", "/etc/hostname", "/proc/nowhere/x", "-i", str(local_hosts.inventory))
    assert ended.code == 1
    assert ended.err.splitlines()[0].endswith("Check the path, its permissions, and the free space on that disk.")
