"""A plain flow of Prefect's that starts jobs: a cancel does not end them, and its log says so from the first one on."""

from __future__ import annotations

import pytest
from prefect import Flow, flow

from remotejobs.model import Job
from remotejobs.prefect import remote_flow
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.job import start_job
from remotejobs.testing import FakeHosts
from tests.task_log import TaskLog

HOSTS = Access(inventory="db1,db2")
WARNING = "leaves its jobs running"


def start_two() -> None:
    jobs = [Job(jid=jid_for(label), cmd="work", label=label) for label in ("one", "two")]
    for started in [start_job.submit(job, "db1", HOSTS) for job in jobs]:
        started.result()


@flow(name="by-hand")
def without_hooks() -> None:
    start_two()


@remote_flow("with-hooks")
def with_hooks() -> None:
    start_two()


@remote_flow("whole")
def whose_part_has_none() -> None:
    without_hooks()


def test_it_is_told_once_that_a_cancel_leaves_its_jobs_running_and_what_to_write(
    fake: FakeHosts, task_log: TaskLog
) -> None:
    without_hooks()
    (line,) = task_log.having(WARNING)
    assert 'by-hand is a plain @flow. Write @remote_flow("by-hand") in its place' in line


@pytest.mark.parametrize("flow", [with_hooks, whose_part_has_none])
def test_a_flow_whose_jobs_a_cancel_ends_is_told_nothing(
    fake: FakeHosts, task_log: TaskLog, flow: Flow[[], None]
) -> None:
    flow()
    assert task_log.having("started job")
    assert task_log.having(WARNING) == []
