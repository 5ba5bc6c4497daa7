"""Jobs looked after by groups of hosts: the same as one by one, in fewer task runs, with each host's truth in sight."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import Artifact, TaskRun
from prefect.runtime import flow_run

from flows.run_command import run_command
from lab.sshd import SshLab
from remotejobs.fake import FakeHosts, Plan
from remotejobs.model import Job, State
from tasks.access import Access
from tasks.connections import jobs_on, reached_by
from tasks.ends import End
from tasks.errors import HostsFailed
from tasks.host_group import Step
from tasks.jids import jid_for
from tasks.look_after import look_after
from tasks.until import Until
from tests.awaiting import await_true
from tests.task_log import TaskLog

OFTEN = Until(retries=300, delay=0.2)
HOSTS = ("db1", "db2", "files1")
ALONE, TOGETHER = 1, 3


def job(cmd: str, label: str = "work") -> Job:
    return Job(jid=uuid4().hex, cmd=cmd, label=label)


def steps(cmd: str, until: Until = OFTEN, hosts: tuple[str, ...] = HOSTS) -> list[Step]:
    work = job(cmd)
    return [Step(work, host, until) for host in hosts]


@flow
def look(work: list[Step], access: Access, group: int = TOGETHER) -> list[End]:
    return look_after(work, access, group=group)


def told(ends: list[End]) -> list[tuple[object, ...]]:
    """All that is said of the ends, without what differs from one run to the next: jids, times and attempts."""
    no_times = [re.sub(r"\b[0-9a-f]{32}\b|[\d.]+s\b|attempt \d+ of \d+", "_", end.reason) for end in ends]
    records = [end.record and (end.record.state, end.record.rc, end.record.stdout, end.record.stderr) for end in ends]
    return [
        (end.host, end.step, end.state, end.succeeded, end.over, reason, record)
        for end, reason, record in zip(ends, no_times, records, strict=True)
    ]


@pytest.mark.parametrize(
    ("command", "until"),
    [
        ("echo hello; echo there >&2", OFTEN),
        ('echo here; case $HOME in */db2/*) echo "disk full" >&2; exit 9;; esac', OFTEN),
        ("head -c 100000 /dev/zero | tr '\\0' x", OFTEN),
        ("kill -9 $$", OFTEN),
        ("echo half; exec sleep 300", Until(retries=1, delay=0.2, on_exhausted="kill")),
    ],
)
def test_a_group_ends_as_its_jobs_do_one_by_one(access: Access, command: str, until: Until) -> None:
    assert told(look(steps(command, until), access)) == told(look(steps(command, until), access, ALONE))


def test_what_runs_when_the_retries_are_over_is_left_running_and_the_message_says_how_to_find_it(
    access: Access,
) -> None:
    work = steps("sleep 300", Until(retries=1, delay=0.2))
    together, alone = look(work, access), look(work, access, ALONE)
    assert told(together) == told(alone)
    for end in together:
        assert f"left running; look at it with: remotejobs status {end.host} {work[0].job.jid}" in end.reason
        assert jobs_on(access, end.host).kill(work[0].job.jid).state is State.KILLED


@pytest.mark.parametrize("group", [ALONE, TOGETHER])
def test_failed_when_judges_in_a_group_as_it_does_alone(access: Access, group: int) -> None:
    @flow
    def judge() -> list[End]:
        return look_after(
            steps("echo $HOME; exit 4"), access, group=group, failed_when=lambda record: b"db2" in record.stdout
        )

    assert [(end.host, end.state) for end in judge()] == [
        ("db1", "succeeded"),
        ("db2", "failed"),
        ("files1", "succeeded"),
    ]


def test_an_end_is_known_while_the_others_run_and_between_two_attempts(
    access: Access, task_log: TaskLog, go: Path
) -> None:
    # Were it not waited for all the time, the attempt would outlast the test.
    waiting = f"case $HOME in */db2/*) exit 3;; esac; while [ ! -e {go} ]; do sleep 0.05; done"
    task_log.when("work on db2: failed, rc 3", go.touch)
    ends = look(steps(waiting, Until(retries=1, delay=900)), access)
    assert [end.state for end in ends] == ["succeeded", "failed", "succeeded"]
    assert not task_log.having("StillRunning")


def test_a_group_that_runs_says_at_each_attempt_how_many_and_who_is_not_well(
    access: Access, task_log: TaskLog, go: Path
) -> None:
    waiting = f"case $HOME in */db2/*) exit 3;; esac; while [ ! -e {go} ]; do sleep 0.05; done"
    task_log.when("1 failed, attempt", go.touch)
    look(steps(waiting), access)
    (line, *_) = task_log.having("1 failed, attempt")
    assert re.search(r"work on db1 to files1 \(3 hosts\): 2 running, 1 failed, attempt \d+ of 301; not well: db2", line)


def test_a_host_that_is_away_for_a_while_fails_nobody(lab: SshLab, access: Access, task_log: TaskLog, go: Path) -> None:
    task_log.when("attempt 1 of", lambda: lab.stop_host("files1"))
    task_log.when("work on files1: no contact, it is asked again", lambda: lab.start_host("files1"))
    task_log.when("heard again: work on files1: running", go.touch)
    ends = look(steps(f"while [ ! -e {go} ]; do sleep 0.05; done"), access)
    assert [end.state for end in ends] == ["succeeded", "succeeded", "succeeded"]
    assert go.exists()


def test_a_host_that_is_silent_to_the_end_is_told_from_a_failed_one(task_log: TaskLog) -> None:
    fake = FakeHosts(Plan(lasts=None))
    task_log.when("attempt 1 of", fake.host("db2").unreachable)
    task_log.when("db2: no contact", lambda: fake.ends("work", on="db1"))
    with reached_by(fake.connect):
        ends = look(steps("x", Until(retries=4, delay=1), ("db1", "db2")), Access(inventory="db1,db2"))
    assert [(end.host, end.state) for end in ends] == [("db1", "succeeded"), ("db2", "unreachable")]
    assert re.search("attempt 5 of 5, .*It may run on; look at it with: remotejobs status db2", ends[1].reason)


def test_hosts_that_are_silent_at_the_start_are_tried_again_and_they_alone(task_log: TaskLog) -> None:
    fake = FakeHosts()
    fake.host("db2").unreachable()
    task_log.when("1 hosts could not be asked", fake.host("db2").reachable)
    with reached_by(fake.connect):
        ends = look(steps("x", hosts=("db1", "db2")), Access(inventory="db1,db2"))
    assert [end.state for end in ends] == ["succeeded", "succeeded"]
    assert len(task_log.having("started job")) == 2


def test_a_host_that_is_silent_at_the_start_keeps_nobodys_end_from_being_known(task_log: TaskLog) -> None:
    fake = FakeHosts()
    fake.host("db2").unreachable()
    task_log.when("work on db1: succeeded", fake.host("db2").reachable)
    with reached_by(fake.connect):
        ends = look(steps("x", hosts=("db1", "db2")), Access(inventory="db1,db2"))
    assert [end.state for end in ends] == ["succeeded", "succeeded"]


def test_a_job_that_is_refused_at_its_start_is_told_and_the_others_are_polled(task_log: TaskLog) -> None:
    fake = FakeHosts()
    fake.plan(".", Plan(refused="no space left"), on="db2")
    with reached_by(fake.connect):
        ends = look(steps("x"), Access(inventory="db1,db2,files1"))
    assert [(end.host, end.state) for end in ends] == [
        ("db1", "succeeded"),
        ("db2", "refused"),
        ("files1", "succeeded"),
    ]
    assert "no space left" in ends[1].reason


def test_several_jobs_of_a_host_hide_none_of_each_other(task_log: TaskLog) -> None:
    fake = FakeHosts(Plan(lasts=None))
    jobs = [job("x", label) for label in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")]

    def end_all() -> None:
        fake.ends("one", rc=3, on="db1")
        for each in jobs:
            fake.ends(each.label, on="*" if each.label != "one" else "db2")

    task_log.when("attempt 1 of", end_all)
    access = Access(inventory="db1,db2")
    with reached_by(fake.connect):
        ends = look([Step(each, host, OFTEN) for each in jobs for host in ("db1", "db2")], access)
    states = {(end.step, end.host): end.state for end in ends}
    assert states.pop(("one", "db1")) == "failed"
    assert set(states.values()) == {"succeeded"}
    assert len(states) == 17


def test_a_retried_flow_run_attaches_to_the_jobs_of_its_groups(
    access: Access, task_log: TaskLog, tmp_path: Path
) -> None:
    @flow(retries=1)
    def twice() -> list[End]:
        work = Job(jid=jid_for("work"), cmd=f"echo x >>{tmp_path}/$(basename $(dirname $HOME))", label="work")
        ends = look_after([Step(work, host, OFTEN) for host in HOSTS], access, group=TOGETHER)
        if flow_run.run_count == 1:
            raise RuntimeError("the controller died")
        return ends

    assert [end.state for end in twice()] == ["succeeded"] * 3
    assert len(task_log.having("attached to job")) == 3
    assert [(tmp_path / host).read_text() for host in HOSTS] == ["x\n"] * 3


def test_with_a_delay_of_zero_a_group_is_started_and_left_running(access: Access) -> None:
    work = steps("sleep 300", Until(delay=0))
    assert told(look(work, access)) == told(look(work, access, ALONE))
    for host in HOSTS:
        assert jobs_on(access, host).kill(work[0].job.jid).state is State.KILLED


@pytest.fixture
def many(tmp_path: Path) -> Iterator[tuple[Access, FakeHosts]]:
    """120 hosts, more than are looked after one by one."""
    fake, inventory = FakeHosts(), tmp_path / "hosts.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {f"web{number:03d}": None for number in range(120)}}}))
    with reached_by(fake.connect):
        yield Access(inventory=str(inventory)), fake


def test_many_hosts_are_looked_after_by_groups_without_being_asked_to(many: tuple[Access, FakeHosts]) -> None:
    access, fake = many
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
    bars = [each for each in artifacts(run) if each.type == "progress"]
    assert sorted((str(each.description), each.data) for each in bars) == [(name, 100.0) for name in names]
    tables = {str(each.description): str(each.data) for each in artifacts(run) if each.type == "table"}
    assert '"web057", "step": "work", "state": "failed", "rc": 9' in tables[names[0]]
    assert '"web119", "step": "work", "state": "succeeded", "rc": 0' in tables[names[1]]


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


def artifacts(run: object) -> list[Artifact]:
    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId.model_validate({"any_": [run]}))
    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=mine)
