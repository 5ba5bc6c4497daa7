"""Flows on hosts that are not there: the example of docs/testing.md with the flow of the README, as they stand."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest
from prefect import flow

from flows.run_command import run_command
from remotejobs.fake import FakeHosts, Plan
from remotejobs.model import Job
from tasks.access import Access
from tasks.connections import connections, reached_by
from tasks.errors import JobFailed
from tasks.jobs import poll_until, start_job
from tasks.until import Until

ROOT = Path(__file__).parents[2]
HOSTS = Access(inventory="db1,db2")


def python_in(document: str) -> str:
    """The first block of Python in one of the documents."""
    found = re.search(r"```python\n(.*?)```", (ROOT / document).read_text(), re.S)
    assert found
    return found[1]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "vacuum.py").write_text(python_in("README.md"))
    (tmp_path / "example_of_testing.py").write_text(python_in("docs/testing.md"))
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("example_of_testing")


def test_the_documented_test_passes_and_fails_without_its_plan(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    example.test_a_full_disk_on_one_host_fails_the_flow_by_name()
    monkeypatch.setattr(FakeHosts, "plan", lambda *_args, **_more: None)
    with pytest.raises(BaseException, match="DID NOT RAISE"):
        example.test_a_full_disk_on_one_host_fails_the_flow_by_name()


def test_a_flow_of_ours_runs_on_hosts_that_are_not_there() -> None:
    fake = FakeHosts(Plan(lasts=4, stdout="14:02 up 3 days\n"))
    with reached_by(fake.connect):
        run_command(HOSTS, "all", "uptime")
    assert [(start.host, start.job.cmd, start.state) for start in fake.started()] == [
        ("db1", "uptime", "succeeded"),
        ("db2", "uptime", "succeeded"),
    ]


def come_back_and_end(fake: FakeHosts) -> None:
    fake.host("db1").reachable()
    fake.ends("dump", rc=1)


@flow
def dump_of_a_host_that_goes_away(fake: FakeHosts) -> None:
    handle = start_job(Job(jid="j", cmd="pg_dump orders", label="dump"), "db1", HOSTS)
    fake.host("db1").unreachable()
    Thread(target=come_back_and_end, args=(fake,)).start()
    poll_until(Until(retries=100, delay=0.1))(handle, HOSTS)


def test_a_poll_outlives_a_host_that_is_away_for_a_while() -> None:
    fake = FakeHosts(Plan(lasts=None, stderr="disk full\n"))
    with reached_by(fake.connect), pytest.raises(JobFailed, match="disk full"):
        dump_of_a_host_that_goes_away(fake)


def test_afterwards_the_process_has_its_own_connections_again() -> None:
    own = connections()
    with reached_by(FakeHosts().connect) as others:
        assert connections() is others
    assert connections() is own
