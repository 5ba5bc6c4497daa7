"""From a run to its jobs on the live page: where the worker's environment names the page, and nowhere else."""

from __future__ import annotations

from uuid import UUID

import pytest
from prefect import flow
from prefect.runtime import flow_run

from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.job import run_command
from remotejobs.testing import FakeHosts
from tests.artifacts import artifacts_of

HOSTS = Access(inventory="db1,db2")


@flow
def two_jobs() -> UUID:
    for host in ("db1", "db2"):
        run_command("true", host, HOSTS)
    assert flow_run.id
    return UUID(flow_run.id)


def test_a_run_is_attached_a_link_to_its_jobs_once(fake: FakeHosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMOTEJOBS_WEB_URL", "https://jobs.example/")
    run = two_jobs()
    (link,) = artifacts_of(run, "markdown")
    assert (link.key, link.data) == ("live-jobs", f"[Its jobs, live](https://jobs.example/?run={run})")


@pytest.mark.parametrize("address", ["", "jobs.example", "javascript:alert(1)"])
def test_without_the_address_of_a_page_there_is_no_link(
    fake: FakeHosts, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("REMOTEJOBS_WEB_URL", address)
    assert artifacts_of(two_jobs(), "markdown") == []
