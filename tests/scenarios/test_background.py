"""Several jobs in the background of one flow: limits of their own, what counts as failed, and what may be ignored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from flows.examples.side_by_side import side_by_side
from lab.postgres import Postgres
from lab.sshd import SshLab
from remotejobs.errors import InvalidJob
from remotejobs.model import Record, State
from tasks.access import Access
from tasks.background import in_background
from tasks.ends import End, raise_for
from tasks.errors import HostsFailed
from tasks.jobs import kill_job
from tests.artifacts import table_of
from tests.task_log import TaskLog

OFTEN = 0.1  # seconds


@flow
def one(access: Access, command: str, **more: Any) -> End:
    return in_background(command, "db1", access, label="one", poll=OFTEN, **more).end()


def test_jobs_with_limits_of_their_own_are_awaited_apart(access: Access, go: Path) -> None:
    @flow
    def two() -> tuple[End, End]:
        brief = in_background("sleep 300", "db1", access, label="brief", limit=1, poll=OFTEN)
        patient = in_background(f"until [ -e {go} ]; do sleep 0.1; done", "db1", access, label="patient", poll=OFTEN)
        end = brief.end()
        go.touch()  # the other job goes on until now
        return end, patient.end()

    brief, patient = two()
    assert (brief.state, brief.succeeded, brief.over) == (State.TIMED_OUT, False, True)
    assert "proven empty" in brief.reason
    assert (patient.state, patient.succeeded) == (State.SUCCEEDED, True)


def test_a_job_in_the_background_waits_for_its_lock_as_long_as_it_may(access: Access) -> None:
    @flow
    def two() -> tuple[End, End]:
        holder = in_background("sleep 600", "db1", access, label="holder", locks=["apt"], limit=20, poll=OFTEN)
        holder.started.wait()
        late = in_background("true", "db1", access, label="late", locks=["apt"], queue_limit=1, limit=5, poll=OFTEN)
        told = late.end()
        kill_job(holder.started.result(), access, grace=0)
        return holder.end(), told

    holder, late = two()
    assert (holder.state, late.state) == (State.KILLED, State.TIMED_OUT)
    assert "queue limit of 1 s exceeded" in late.reason and "never started" in late.reason


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


@pytest.mark.parametrize(
    ("command", "failed_when", "wanted"),
    [
        ("exit 24", lambda record: record.rc not in (0, 24), State.SUCCEEDED),
        ("exit 23", lambda record: record.rc not in (0, 24), State.FAILED),
        ("echo no ERROR here", lambda record: b"ERROR" in record.stdout, State.FAILED),
        ("exit 1", lambda record: False, State.SUCCEEDED),
    ],
)
def test_the_flow_decides_what_counts_as_failed(
    access: Access, task_log: TaskLog, command: str, failed_when: Callable[[Record], bool], wanted: State
) -> None:
    end = one(access, command, failed_when=failed_when)
    assert (end.state, end.succeeded) == (wanted, wanted is State.SUCCEEDED)
    assert end.record
    if command != "exit 23":
        assert end.record.msg.startswith("by failed_when of this flow; its host says ")
    assert end.record.rc == int(command[5:] if command.startswith("exit") else 0)  # what the host says, stays
    if not end.succeeded:
        with pytest.raises(HostsFailed, match="one on db1: failed"):
            raise_for([end])


def test_a_job_that_was_ended_is_never_called_good(access: Access) -> None:
    end = one(access, "sleep 300", limit=1, failed_when=lambda record: False)
    assert (end.state, end.succeeded) == (State.TIMED_OUT, False)


def test_an_error_is_ignored_by_not_raising_it(access: Access) -> None:
    end = one(access, "echo gone >&2; exit 7")
    assert (end.state, end.succeeded, end.over) == (State.FAILED, False, True)
    assert "rc 7" in end.reason
    assert "gone" in end.reason


def test_a_host_that_cannot_be_asked_is_an_end_that_is_not_over(access: Access) -> None:
    @flow
    def elsewhere() -> End:
        return in_background("true", "nowhere", access, label="one").end()

    end = elsewhere()
    assert not end.succeeded
    assert not end.over


def test_two_jobs_of_one_label_on_one_host_are_refused_rather_than_taken_for_one(access: Access) -> None:
    @flow
    def twice() -> list[End]:
        return [in_background(f"echo {word}", "db1", access, label="same", poll=OFTEN).end() for word in ("a", "b")]

    first, second = twice()
    assert first.succeeded
    assert "is taken by another job" in second.reason


def test_what_can_be_no_job_is_refused_where_it_is_written(access: Access) -> None:
    with pytest.raises(InvalidJob, match="chdir 'here' is not absolute"):
        one(access, "true", chdir="here")
