"""Several jobs in the background of one flow: limits of their own, what counts as failed, and what may be ignored."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from lab.servers.postgres import Postgres
from lab.servers.sshd import SshLab
from remotejobs.errors import InvalidJob
from remotejobs.model import State
from remotejobs.prefect.flows.examples.side_by_side import side_by_side
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import reached_by
from remotejobs.prefect.tasks.jobs.background import in_background
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.job import kill_job
from remotejobs.prefect.tasks.jobs.outcomes import FailedWhen
from remotejobs.prefect.tasks.jobs.results import JobResult, raise_for
from remotejobs.testing import FakeHosts, Plan
from tests.artifacts import table_of

SOON = 1  # seconds, for which a poll waits on the host: an end within them is seen at once
SIMULATED = Access(inventory="db1,db2")
GOOD_RCS: FailedWhen = lambda record: record.rc not in (0, 24)  # noqa: E731
NO_ERRORS: FailedWhen = lambda record: b"ERROR" in record.stdout  # noqa: E731
NEVER: FailedWhen = lambda record: False  # noqa: E731


def test_jobs_with_limits_of_their_own_are_awaited_apart(fake: FakeHosts) -> None:
    fake.plan("sleep", Plan(lasts=math.inf))
    fake.plan("lasting", Plan(lasts=None))

    @flow
    def two() -> tuple[JobResult, JobResult]:
        brief = in_background("sleep 300", "db1", SIMULATED, label="brief", timeout=3, poll=SOON)
        lasting = in_background("lasting", "db1", SIMULATED, label="lasting", poll=SOON)
        end = brief.result()
        lasting.started.wait()
        fake.ends("lasting")  # the other job goes on until now
        return end, lasting.result()

    brief, lasting = two()
    assert (brief.state, brief.succeeded, brief.over) == (State.TIMED_OUT, False, True)
    assert "proven empty" in brief.reason
    assert (lasting.state, lasting.succeeded) == (State.SUCCEEDED, True)


def test_a_job_in_the_background_waits_for_its_lock_as_long_as_it_may(fake: FakeHosts) -> None:
    fake.plan("sleep", Plan(lasts=math.inf))

    @flow
    def two() -> tuple[JobResult, JobResult]:
        holder = in_background("sleep 600", "db1", SIMULATED, label="holder", locks=["apt"], poll=0.2)
        holder.started.wait()
        late = in_background(
            "true", "db1", SIMULATED, label="late", locks=["apt"], queue_timeout=1, timeout=5, poll=SOON
        )
        found = late.result()
        kill_job(holder.started.result(), SIMULATED, grace=0)
        return holder.result(), found

    holder, late = two()
    assert (holder.state, late.state) == (State.KILLED, State.TIMED_OUT)
    assert "queue timeout of 1 s exceeded" in late.reason and "never started" in late.reason


def test_databases_and_directories_are_saved_side_by_side_and_reported_one_by_one(
    access: Access, lab: SshLab, postgres: Postgres, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    given: dict[str, Any] = {"data": str(tmp_path / "data"), "logs": "/nowhere/logs", "directory": str(tmp_path)}
    state = side_by_side(
        access, "db1", ["orders", "users"], **given, env=dict(postgres.environment), poll=1, return_state=True
    )
    ends = {row["step"]: row["state"] for row in table_of(state.state_details.flow_run_id)}
    good = ["dump of orders", "dump of users", "files"]
    assert ends == dict.fromkeys(good, "succeeded") | {"log archive": "failed"}
    assert (tmp_path / "orders.dump").read_bytes().startswith(b"PGDMP")
    assert (tmp_path / "files.tar.gz").stat().st_size
    with pytest.raises(HostsFailed, match="(?s)1 of 4 failed\nlog archive on db1: failed, rc 2.*/nowhere/logs"):
        state.result()


@pytest.fixture(scope="module")
def ends() -> dict[str, JobResult]:
    """By label: jobs that end in many ways, all in the background of one flow run."""
    fake = FakeHosts()
    for rc in (1, 7, 23, 24):
        fake.plan(f"exit {rc}$", Plan(rc=rc, stderr=f"went with {rc}\n"))
    fake.plan("ERROR", Plan(stdout="no ERROR here\n"))
    fake.plan("sleep", Plan(lasts=math.inf))

    @flow
    def all_at_once() -> list[JobResult]:
        judged = [("exit 24", GOOD_RCS), ("exit 23", GOOD_RCS), ("echo no ERROR here", NO_ERRORS), ("exit 1", NEVER)]
        jobs = [
            in_background(command, "db1", SIMULATED, label=command, poll=SOON, failed_when=failed_when)
            for command, failed_when in judged
        ]
        jobs += [
            in_background("sleep 300", "db1", SIMULATED, label="ended", timeout=3, poll=SOON, failed_when=NEVER),
            in_background("exit 7", "db1", SIMULATED, label="ignored", poll=SOON),
            in_background("true", "nowhere", SIMULATED, label="elsewhere", poll=SOON),
        ]
        return [job.result() for job in jobs]

    with reached_by(fake.connect):
        return {end.step: end for end in all_at_once()}


@pytest.mark.parametrize(
    ("command", "rc", "wanted"),
    [
        ("exit 24", 24, State.SUCCEEDED),
        ("exit 23", 23, State.FAILED),
        ("echo no ERROR here", 0, State.FAILED),
        ("exit 1", 1, State.SUCCEEDED),
    ],
)
def test_the_flow_decides_what_counts_as_failed(
    ends: dict[str, JobResult], command: str, rc: int, wanted: State
) -> None:
    end = ends[command]
    assert (end.state, end.succeeded) == (wanted, wanted is State.SUCCEEDED)
    assert end.record
    if command != "exit 23":
        assert end.record.msg.startswith("by failed_when of this flow; its host says ")
    assert end.record.rc == rc  # what the host says, stays
    if not end.succeeded:
        with pytest.raises(HostsFailed, match=f"{command} on db1: failed"):
            raise_for([end])


def test_a_job_that_was_ended_is_never_called_good(ends: dict[str, JobResult]) -> None:
    assert (ends["ended"].state, ends["ended"].succeeded) == (State.TIMED_OUT, False)


def test_an_error_is_ignored_by_not_raising_it(ends: dict[str, JobResult]) -> None:
    end = ends["ignored"]
    assert (end.state, end.succeeded, end.over) == (State.FAILED, False, True)
    assert "rc 7" in end.reason
    assert "went with 7" in end.reason


def test_a_host_that_cannot_be_asked_is_an_end_that_is_not_over(ends: dict[str, JobResult]) -> None:
    assert not ends["elsewhere"].succeeded
    assert not ends["elsewhere"].over


def test_two_jobs_of_one_label_on_one_host_are_refused_rather_than_taken_for_one(fake: FakeHosts) -> None:
    @flow
    def twice() -> list[JobResult]:
        return [
            in_background(f"echo {word}", "db1", SIMULATED, label="same", poll=SOON).result() for word in ("a", "b")
        ]

    first, second = twice()
    assert first.succeeded
    assert "is taken by another job" in second.reason


def test_what_can_be_no_job_is_refused_where_it_is_written() -> None:
    @flow
    def here() -> None:
        in_background("true", "db1", SIMULATED, label="one", chdir="here")

    with pytest.raises(InvalidJob, match="chdir 'here' is not absolute"):
        here()
