"""Any command on a pattern of hosts, by the flow: one run on real hosts; what it makes of their answers, on others."""

from __future__ import annotations

import logging
import math
import shlex
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import Log
from prefect.client.schemas.objects import State as RunState
from prefect.exceptions import ParameterTypeError

from remotejobs.errors import HostKeyChanged
from remotejobs.inventory import PatternError
from remotejobs.model import Job, State
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.options import JobOptions
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.testing import FakeHosts, Plan
from tests.artifacts import name_of, table_of
from tests.awaiting import await_true

OFTEN = Until(retries=300, delay=1)  # the waiting is done on the host, so an end is seen at once
SIMULATED = Access(inventory="db1,db2,files1")
FAILS_ON_DB2 = 'case $HOME in */db2/*) echo "disk full" >&2; exit 9;; esac\necho hello from $HOME'


def run(access: Access, hosts: str, command: str, **others: object) -> RunState[list[JobResult]]:
    given = {"access": access, "hosts": hosts, "command": command, "until": OFTEN, "label": "work"}
    state: RunState[list[JobResult]] = run_command(**(given | others), return_state=True)
    return state


@pytest.fixture(scope="module")
def on_real_hosts(access: Access) -> RunState[list[JobResult]]:
    return run(access, "db1:db2:files1", FAILS_ON_DB2)


def test_a_command_runs_on_every_host_of_the_pattern(on_real_hosts: RunState[list[JobResult]]) -> None:
    rows = table_of(on_real_hosts.state_details.flow_run_id)
    assert {(row["host"], row["state"], row["rc"]) for row in rows} == {
        ("db1", "succeeded", 0),
        ("db2", "failed", 9),
        ("files1", "succeeded", 0),
    }
    assert str(rows[2]["last line"]).endswith("files1/home")


def test_the_table_begins_with_what_failed_and_why(on_real_hosts: RunState[list[JobResult]]) -> None:
    rows = table_of(on_real_hosts.state_details.flow_run_id)
    assert list(rows[0])[:4] == ["host", "state", "reason", "last line"]
    assert [row["host"] for row in rows] == ["db2", "db1", "files1"]
    assert "Its output: remotejobs log db2 " in str(rows[0]["reason"])
    assert rows[0]["last line"] == "disk full"


def test_the_state_of_a_run_says_in_one_paragraph_what_failed_and_why(
    on_real_hosts: RunState[list[JobResult]],
) -> None:
    words = " ".join(str(on_real_hosts.message).split())
    assert words.startswith("1 of 3 failed • work on db2: failed, rc 9 after ")
    assert words.endswith(" | disk full")


def test_an_error_of_ours_ends_the_log_of_a_run_in_words_and_without_a_traceback(
    on_real_hosts: RunState[list[JobResult]],
) -> None:
    assert on_real_hosts.state_details.flow_run_id
    mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[on_real_hosts.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:

        def lines_of_the_flow() -> list[Log]:
            return [log for log in client.read_logs(mine) if log.task_run_id is None]

        await_true(lambda: any("Finished in state" in log.message for log in lines_of_the_flow()))
        lines = lines_of_the_flow()
    (error,) = [log.message for log in lines if log.level >= logging.ERROR]
    assert error.startswith("1 of 3 failed\nwork on db2: failed, rc 9 ")
    assert not any("Traceback" in log.message for log in lines)


def test_one_failing_host_fails_the_run_by_name_and_stops_no_other(on_real_hosts: RunState[list[JobResult]]) -> None:
    with pytest.raises(HostsFailed, match=r"1 of 3 failed\nwork on db2: failed, rc 9 after .*\n    disk full$"):
        on_real_hosts.result()


def test_a_run_is_called_by_its_command_and_hosts(on_real_hosts: RunState[list[JobResult]]) -> None:
    shown = '`case $HOME in */db2/*) echo "disk full" >&2; exit 9;; esac e…` on db1:db2:files1'
    assert name_of(on_real_hosts.state_details.flow_run_id) == shown


def test_a_host_that_cannot_be_reached_is_distinguished_from_a_failed_one(fake: FakeHosts) -> None:
    # An answer that no second try would change.
    fake.host("db1").unreachable(HostKeyChanged, "its key is not the one that is known")
    fake.plan(".", Plan(rc=1), on="db2")
    rows = table_of(run(SIMULATED, "all", "true").state_details.flow_run_id)
    assert {row["host"]: row["state"] for row in rows} == {
        "db1": "unreachable",
        "db2": "failed",
        "files1": "succeeded",
    }


def test_with_a_delay_of_zero_jobs_are_left_running(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=None))
    ends = run(SIMULATED, "db1:db2", "sleep 300", until=Until(delay=0)).result()
    assert [(end.host, end.state) for end in ends] == [("db1", "running"), ("db2", "running")]
    for end in ends:
        words = shlex.split(end.reason.removeprefix("left running; check it with: "))
        assert words[:3] == ["remotejobs", "status", end.host]
        assert jobs_on(SIMULATED, end.host).record(words[3]).state is State.RUNNING


def test_the_table_has_all_that_is_known_of_a_job_that_was_killed_when_retries_ran_out(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=None, stdout="half\n"))
    state = run(SIMULATED, "db1", "x", until=Until(retries=1, delay=0.1, on_exhausted="kill"))
    (row,) = table_of(state.state_details.flow_run_id)
    assert row["state"] == "killed"
    assert row["rc"] == 143
    assert row["duration"]
    assert "remotejobs log db1 " in str(row["reason"])
    assert row["last line"] == "half"


@pytest.mark.parametrize("wrong", [{"job": {"timeout": -5}}, {"command": ""}, {"hosts": ""}, {"label": ""}])
def test_a_parameter_that_makes_no_sense_is_named_before_anything_is_started(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ParameterTypeError, match=name):
        run_command.validate_parameters({"access": SIMULATED, "hosts": "db1", "command": "true", **wrong})


def test_a_command_is_ended_by_its_limit(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=math.inf))
    with pytest.raises(HostsFailed, match="timed_out, rc 143, TERM after 1m00s .time limit of 60 s exceeded"):
        run(SIMULATED, "db1", "sleep 300", job=JobOptions(timeout=60)).result()


def test_a_pattern_that_matches_nothing_fails_before_anything_is_started(fake: FakeHosts) -> None:
    with pytest.raises(PatternError, match="web"):
        run(SIMULATED, "web", "true").result()
    assert fake.started() == ()


def test_the_example_inventory_fails_the_run_at_once_by_the_name_of_the_parameter() -> None:
    # As the deployment gives it.
    given: dict[str, Any] = {"access": {"inventory": "inventories/example.yml"}, "hosts": "all", "command": "true"}
    with pytest.raises(ParameterTypeError, match="access.inventory: Value error, inventories/example.yml is only an"):
        run_command(**given)


def test_a_run_that_waits_for_a_lock_says_so_and_can_be_ended_with_nothing_run(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=math.inf))
    jobs_on(SIMULATED, "db1").start(Job(jid="holds-the-lock", cmd="sleep 600", locks=("apt",)))
    state = run(SIMULATED, "db1", "echo ran", job=JobOptions(locks=("apt",), queue_timeout=60, launcher="plain"))
    with pytest.raises(
        HostsFailed, match="queue timeout of 60 s exceeded: it waited for lock apt, held by holds-the-lock"
    ):
        state.result()
    until = Until(retries=1, delay=0.1, on_exhausted="kill")
    state = run(SIMULATED, "db1", "echo ran", job=JobOptions(locks=("apt",), slots=2), until=until)
    with pytest.raises(HostsFailed, match=r"queued .* waits for lock apt, held by holds-the-lock; number 1 in line"):
        state.result()
    (row,) = table_of(state.state_details.flow_run_id)
    assert (row["state"], row["rc"]) == ("killed", "")
