"""Flows on hosts that are not there: the example of docs/how-to/testing.md and the flow of the README."""

from __future__ import annotations

import importlib
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest
from prefect import flow

from remotejobs.model import Job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections, reached_by
from remotejobs.prefect.tasks.jobs.errors import JobFailed
from remotejobs.prefect.tasks.jobs.job import poll_until, start_job
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.testing import FakeHosts, Plan
from tests.documents import program_in

HOSTS = Access(inventory="db1,db2")


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "vacuum.py").write_text(program_in("README.md"))
    (tmp_path / "example_of_testing.py").write_text(program_in("docs/how-to/testing.md"))
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("example_of_testing")


def test_the_documented_test_passes_and_fails_without_its_plan(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    example.test_a_full_disk_on_one_host_fails_the_flow_by_name()
    monkeypatch.setattr(FakeHosts, "plan", lambda *_args, **_more: None)
    with pytest.raises(BaseException, match="DID NOT RAISE"):
        example.test_a_full_disk_on_one_host_fails_the_flow_by_name()


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
