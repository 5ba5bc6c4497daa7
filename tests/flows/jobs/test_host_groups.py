"""Jobs polled by groups of hosts: the same as one by one, in fewer task runs, with each host's truth in sight."""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import TaskRun
from prefect.runtime import flow_run

from remotejobs.model import Job, State
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.outcomes import FailedWhen
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.jobs.run_steps import run_steps
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.testing import FakeHosts, Plan
from tests.artifacts import artifacts_of
from tests.awaiting import await_true
from tests.task_log import TaskLog

OFTEN = Until(retries=300, delay=1)  # the waiting is done on the host, so an end is seen at once
HOSTS = ("db1", "db2", "files1")
SIMULATED = Access(inventory=",".join(HOSTS))
ALONE, TOGETHER = 1, 3

# On each host another end: with output, with an error, and by a signal after more output than a record holds.
ENDS = """case $HOME in
*/db1/*) echo hello; echo there >&2;;
*/db2/*) echo "disk full" >&2; exit 9;;
*) head -c 100000 /dev/zero | tr '\\0' x; kill -9 $$;;
esac"""


def job(cmd: str, label: str = "work") -> Job:
    return Job(jid=uuid4().hex, cmd=cmd, label=label)


def steps(cmd: str, until: Until = OFTEN, hosts: tuple[str, ...] = HOSTS) -> list[JobStep]:
    work = job(cmd)
    return [JobStep(work, host, until) for host in hosts]


@flow
def run_in_groups(work: list[JobStep], access: Access) -> list[JobResult]:
    return run_steps(work, access, group=TOGETHER)


@flow
def run_both_ways(
    cmd: str, access: Access, until: Until = OFTEN, failed_when: FailedWhen | None = None
) -> tuple[list[JobResult], list[JobResult]]:
    """As a group, and then other jobs with the same command one by one."""
    together = run_steps(steps(cmd, until), access, group=TOGETHER, failed_when=failed_when)
    return together, run_steps(steps(cmd, until), access, group=ALONE, failed_when=failed_when)


def rows_of(ends: list[JobResult]) -> list[tuple[object, ...]]:
    """All that is said of the ends, without what differs from one run to the next: jids, times and attempts."""
    no_times = [re.sub(r"\b[0-9a-f]{32}\b|[\d.]+s\b|attempt \d+ of \d+", "_", end.reason) for end in ends]
    records = [end.record and (end.record.state, end.record.rc, end.record.stdout, end.record.stderr) for end in ends]
    return [
        (end.host, end.step, end.state, end.succeeded, end.over, reason, record)
        for end, reason, record in zip(ends, no_times, records, strict=True)
    ]


def test_a_group_of_real_hosts_ends_as_its_jobs_do_one_by_one(access: Access) -> None:
    together, alone = run_both_ways(ENDS, access)
    assert rows_of(together) == rows_of(alone)
    records = [end.record for end in together if end.record]
    assert [(record.host, record.rc, len(record.stdout)) for record in records] == [
        ("db1", 0, 6),
        ("db2", 9, 0),
        ("files1", 137, 65536),
    ]


def test_what_is_killed_when_the_retries_are_over_is_reported_as_one_by_one(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=None, stdout="half\n"))
    together, alone = run_both_ways("x", SIMULATED, Until(retries=1, delay=0.1, on_exhausted="kill"))
    assert rows_of(together) == rows_of(alone)
    assert all("It was killed on request; its process tree is proven empty" in end.reason for end in together)
    assert {start.state for start in fake.started()} == {State.KILLED}


def test_what_runs_when_the_retries_are_over_is_left_running_and_the_message_says_how_to_find_it(
    fake: FakeHosts,
) -> None:
    fake.plan(".", Plan(lasts=None))
    together, alone = run_both_ways("x", SIMULATED, Until(retries=1, delay=0.1))
    assert rows_of(together) == rows_of(alone)
    for end in together:
        first, _ = fake.started(on=end.host)
        assert f"left running; check it with: remotejobs status {end.host} {first.job.jid}" in end.reason
    assert {start.state for start in fake.started()} == {State.RUNNING}


def test_with_a_delay_of_zero_a_group_is_started_and_left_running(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=None))
    together, alone = run_both_ways("x", SIMULATED, Until(delay=0))
    assert rows_of(together) == rows_of(alone)
    assert [end.state for end in together] == ["running"] * 3
    assert {start.state for start in fake.started()} == {State.RUNNING}


def test_failed_when_judges_in_a_group_as_it_does_alone(fake: FakeHosts) -> None:
    fake.plan(".", Plan(rc=4))
    fake.plan(".", Plan(rc=4, stdout="bad\n"), on="db2")
    for ends in run_both_ways("x", SIMULATED, failed_when=lambda record: b"bad" in record.stdout):
        assert [(end.host, end.state) for end in ends] == [
            ("db1", "succeeded"),
            ("db2", "failed"),
            ("files1", "succeeded"),
        ]


@pytest.fixture
def one_fails(fake: FakeHosts) -> FakeHosts:
    """db2 fails at once; the others run until they are ended."""
    fake.plan(".", Plan(lasts=None))
    fake.plan(".", Plan(rc=3), on="db2")
    return fake


def test_an_end_is_known_while_the_others_run_and_between_two_attempts(one_fails: FakeHosts, task_log: TaskLog) -> None:
    # Were it not waited for all the time, the attempt would outlast the test.
    task_log.when("work on db2: failed, rc 3", lambda: one_fails.ends("work"))
    ends = run_in_groups(steps("x", Until(retries=1, delay=900)), SIMULATED)
    assert [end.state for end in ends] == ["succeeded", "failed", "succeeded"]
    assert not task_log.having("StillRunning")


def test_a_group_that_runs_logs_at_each_attempt_how_many_and_which_are_not_well(
    one_fails: FakeHosts, task_log: TaskLog
) -> None:
    task_log.when("1 failed, attempt", lambda: one_fails.ends("work"))
    run_in_groups(steps("x", Until(retries=300, delay=0.2)), SIMULATED)
    (line, *_) = task_log.having("1 failed, attempt")
    assert re.search(r"work on db1 to files1 \(3 hosts\): 2 running, 1 failed, attempt \d+ of 301; not well: db2", line)


def test_a_group_of_few_hosts_logs_what_its_jobs_say_with_host_and_label(fake: FakeHosts, task_log: TaskLog) -> None:
    fake.plan(".", Plan(stdout="dumped\n"))
    fake.plan(".", Plan(rc=1, stderr="disk full\n"), on="db2")
    run_in_groups(steps("x"), SIMULATED)
    shown = sorted(line for line in task_log.lines if re.match(r"work on \w+, std", line))
    assert shown == [
        "work on db1, stdout:\ndumped",
        "work on db2, stderr:\ndisk full",
        "work on files1, stdout:\ndumped",
    ]


def test_five_hosts_are_a_group_in_which_each_is_seen(fake: FakeHosts, task_log: TaskLog) -> None:
    fake.plan(".", Plan(rc=9), on="db4")
    access = Access(inventory="db1,db2,db3,db4,db5")
    state = run_command(access, "all", "x", label="work", return_state=True)
    with pytest.raises(HostsFailed, match=r"1 of 5 failed\nwork on db4: failed, rc 9"):
        state.result()
    for host in ("db1", "db2", "db3", "db5"):
        assert task_log.having(f"on {host}, in ") and task_log.having(f"work on {host}: succeeded")
    assert task_log.having("work on db4: failed, rc 9")
    run = state.state_details.flow_run_id
    assert {each.name for each in task_runs(run, 2)} == {
        f"{verb} work on db1 to db5 (5 hosts)" for verb in ("start", "poll")
    }


def test_a_host_that_is_away_for_a_while_fails_nobody(fake: FakeHosts, task_log: TaskLog) -> None:
    fake.plan(".", Plan(lasts=None))
    task_log.when("attempt 1 of", fake.host("files1").unreachable)
    task_log.when("work on files1: no contact, it is asked again", fake.host("files1").reachable)
    task_log.when("reachable again: work on files1: running", lambda: fake.ends("work"))
    ends = run_in_groups(steps("x", Until(retries=300, delay=0.2)), SIMULATED)
    assert [end.state for end in ends] == ["succeeded", "succeeded", "succeeded"]
    assert task_log.having("reachable again")


def test_a_host_that_is_silent_to_the_end_is_distinguished_from_a_failed_one(
    fake: FakeHosts, task_log: TaskLog
) -> None:
    fake.plan(".", Plan(lasts=None))
    task_log.when("attempt 1 of", fake.host("db2").unreachable)
    task_log.when("db2: no contact", lambda: fake.ends("work", on="db1"))
    ends = run_in_groups(steps("x", Until(retries=4, delay=0.5), ("db1", "db2")), SIMULATED)
    assert [(end.host, end.state) for end in ends] == [("db1", "succeeded"), ("db2", "unreachable")]
    assert re.search("attempt 5 of 5, .*It may run on; check it with: remotejobs status db2", ends[1].reason)


def test_hosts_that_are_silent_at_the_start_are_tried_again_and_they_alone(fake: FakeHosts, task_log: TaskLog) -> None:
    fake.host("db2").unreachable()
    task_log.when("1 hosts could not be asked", fake.host("db2").reachable)
    ends = run_in_groups(steps("x", hosts=("db1", "db2")), SIMULATED)
    assert [end.state for end in ends] == ["succeeded", "succeeded"]
    assert len(task_log.having("started job")) == 2


def test_a_host_that_is_silent_at_the_start_keeps_nobodys_end_from_being_known(
    fake: FakeHosts, task_log: TaskLog
) -> None:
    fake.host("db2").unreachable()
    task_log.when("work on db1: succeeded", fake.host("db2").reachable)
    ends = run_in_groups(steps("x", hosts=("db1", "db2")), SIMULATED)
    assert [end.state for end in ends] == ["succeeded", "succeeded"]


def test_a_job_that_is_refused_at_its_start_is_reported_and_the_others_are_polled(fake: FakeHosts) -> None:
    fake.plan(".", Plan(refused="no space left"), on="db2")
    ends = run_in_groups(steps("x"), SIMULATED)
    assert [(end.host, end.state) for end in ends] == [
        ("db1", "succeeded"),
        ("db2", "refused"),
        ("files1", "succeeded"),
    ]
    assert "no space left" in ends[1].reason


def test_several_jobs_of_a_host_hide_none_of_each_other(fake: FakeHosts, task_log: TaskLog) -> None:
    fake.plan(".", Plan(lasts=None))
    jobs = [job("x", label) for label in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")]

    def end_all() -> None:
        fake.ends("one", rc=3, on="db1")
        for each in jobs:
            fake.ends(each.label, on="*" if each.label != "one" else "db2")

    task_log.when("attempt 1 of", end_all)
    ends = run_in_groups([JobStep(each, host, OFTEN) for each in jobs for host in ("db1", "db2")], SIMULATED)
    states = {(end.step, end.host): end.state for end in ends}
    assert states.pop(("one", "db1")) == "failed"
    assert set(states.values()) == {"succeeded"}
    assert len(states) == 17


def test_a_retried_flow_run_attaches_to_the_jobs_of_its_groups(fake: FakeHosts, task_log: TaskLog) -> None:
    @flow(retries=1)
    def twice() -> list[JobResult]:
        work = Job(jid=jid_for("work"), cmd="x", label="work")
        ends = run_steps([JobStep(work, host, OFTEN) for host in HOSTS], SIMULATED, group=TOGETHER)
        if flow_run.run_count == 1:
            raise RuntimeError("the controller died")
        return ends

    assert [end.state for end in twice()] == ["succeeded"] * 3
    assert len(task_log.having("attached to job")) == 3
    assert [start.host for start in fake.started()] == list(HOSTS)


def test_many_hosts_are_polled_by_groups_without_being_asked_to(fake: FakeHosts, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"  # 120 hosts, more than are polled one by one
    inventory.write_text(json.dumps({"all": {"hosts": {f"web{number:03d}": None for number in range(120)}}}))
    access = Access(inventory=str(inventory))
    fake.plan(".", Plan(rc=9, stderr="disk full"), on="web0[05]7")
    state = run_command(access, "all", "x", label="work", return_state=True)
    with pytest.raises(HostsFailed, match=r"2 of 120 failed\nwork on web007: .*\n    disk full\nwork on web057: "):
        state.result()
    run = state.state_details.flow_run_id
    assert run
    names = ["work on web000 to web059 (60 hosts)", "work on web060 to web119 (60 hosts)"]
    found = {each.name: each for each in task_runs(run, 4)}
    assert set(found) == {f"{verb} {name}" for verb in ("start", "poll") for name in names}
    message = found[f"poll {names[0]}"].state
    assert message and message.is_failed()
    assert "web007" in str(message.message) and "web057" in str(message.message)
    bars = artifacts_of(run, "progress")
    assert sorted((str(each.description), each.data) for each in bars) == [(name, 100.0) for name in names]
    tables = {str(each.description): str(each.data) for each in artifacts_of(run, "table")}
    assert '"web057", "state": "failed", "reason": "failed, rc 9 ' in tables[names[0]]
    assert '"web119", "state": "succeeded", "reason": ""' in tables[names[1]]


def task_runs(run: object, count: int) -> list[TaskRun]:
    """The task runs of a flow run, once all have ended: their states reach the server a little later."""
    mine = FlowRunFilter(id=FlowRunFilterId.model_validate({"any_": [run]}))
    with get_client(sync_client=True) as client:

        def ended() -> list[TaskRun]:
            return [
                each for each in client.read_task_runs(flow_run_filter=mine) if each.state and each.state.is_final()
            ]

        await_true(lambda: len(ended()) == count)
        return ended()
