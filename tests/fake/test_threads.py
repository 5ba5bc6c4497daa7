"""What waiting for many hosts takes of the process that waits: few threads, and none for each host."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from remotejobs.cli import exit_codes
from remotejobs.connections.base import Connection
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.watch import THREADS
from remotejobs.testing import FakeHosts, Plan
from tests.awaiting import await_true
from tests.cli.running import CommandResult, remotejobs

HOSTS = tuple(f"h{number}" for number in range(300))
INVENTORY = ",".join(HOSTS)
OTHERS = 3  # the one that runs the command line, the simulation's own, and what a library may start


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeHosts], FakeHosts]:
    """Makes simulated hosts the ones that the command line reaches."""

    def reach(fake: FakeHosts) -> FakeHosts:
        defaults = Fleet.__init__.__kwdefaults__
        assert defaults
        monkeypatch.setitem(defaults, "connect", fake.connect)
        return fake

    return reach


@contextmanager
def under_way(*words: str) -> Iterator[Future[CommandResult]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(remotejobs, *words)


def await_waits(fake: FakeHosts) -> None:
    """Return once each host waits for its job."""
    await_true(lambda: all(fake.host(name)._pending for name in HOSTS))
    await_true(lambda: "watch begins" not in {thread.name for thread in threading.enumerate()})


def test_a_run_on_hundreds_of_hosts_holds_no_thread_for_each(reached: Callable[[FakeHosts], FakeHosts]) -> None:
    fake, before = reached(FakeHosts(Plan(lasts=None, stdout="done\n"), real_time=True)), threading.active_count()
    with under_way("run", "all", "-i", INVENTORY, "--jid", "j", "--json", "-P", "15", "--", "work") as run:
        await_waits(fake)
        assert threading.active_count() - before <= THREADS + OTHERS
        fake.ends("j", on="h7", rc=3)
        fake.ends("j")
        ended = run.result()
    assert {one["host"]: one["rc"] for one in ended.objects} == {**dict.fromkeys(HOSTS, 0), "h7": 3}
    assert ended.code == exit_codes.NOT_SUCCEEDED


def test_a_wait_for_hundreds_of_hosts_holds_no_thread_for_each(reached: Callable[[FakeHosts], FakeHosts]) -> None:
    fake = reached(FakeHosts(Plan(lasts=None), real_time=True))
    assert remotejobs("run", "all", "-i", INVENTORY, "--jid", "j", "-P", "0", "--", "work").code == exit_codes.OK
    before = threading.active_count()
    with under_way("wait", "all", "j", "-i", INVENTORY, "--json") as wait:
        await_waits(fake)
        assert threading.active_count() - before <= THREADS + OTHERS
        fake.ends("j")
        ended = wait.result()
    assert (ended.code, sorted(one["host"] for one in ended.objects)) == (exit_codes.OK, sorted(HOSTS))


@pytest.mark.parametrize("poll", ["0", "1"])
def test_no_more_threads_than_forks_start_jobs(reached: Callable[[FakeHosts], FakeHosts], poll: str) -> None:
    starters: set[int] = set()

    def plan(_host: str, _command: str) -> Plan:
        starters.add(threading.get_ident())
        return Plan(lasts=0)

    reached(FakeHosts(plan, real_time=True))
    done = remotejobs("run", "all", "-i", INVENTORY, "-f", "7", "-P", poll, "--json", "--", "work")
    assert (done.code, len(done.objects)) == (exit_codes.OK, len(HOSTS))
    assert 1 <= len(starters) <= 7


@pytest.mark.parametrize("words", [("status", "all", "j"), ("list", "all"), ("clean", "all", "--older-than", "1d")])
def test_no_more_threads_than_forks_ask_what_needs_no_waiting(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    fake, askers = FakeHosts(Plan(lasts=0), real_time=True), set[int]()

    def connect(host: HostLike) -> Connection:
        askers.add(threading.get_ident())
        return fake.connect(host)

    defaults = Fleet.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "connect", connect)
    assert remotejobs("run", "all", "-i", INVENTORY, "--jid", "j", "-P", "0", "--", "work").code == exit_codes.OK
    askers.clear()
    assert remotejobs(*words, "-i", INVENTORY, "-f", "7", "--json").code == exit_codes.OK
    assert 1 <= len(askers) <= 7
