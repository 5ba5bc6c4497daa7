"""A job started and polled by Prefect tasks: on real hosts, or on simulated ones where only the tasks matter."""

from __future__ import annotations

import pickle
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import flow
from prefect.blocks.system import Secret
from prefect.runtime import flow_run
from pydantic import SecretStr

from lab.servers.sshd import SshLab
from remotejobs.cli import main
from remotejobs.errors import UsageError
from remotejobs.model import Handle, Job, Record, State
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections, jobs_of, jobs_on, reached_by
from remotejobs.prefect.tasks.jobs.errors import JobFailed, RetriesExhausted
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.job import clean_jobs, fetch_log, kill_job, poll_until, run_command, start_job
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.testing import FakeHosts, Plan
from tests.task_log import TaskLog

OFTEN = Until(retries=300, delay=0.1)
SIMULATED = Access(inventory="db1,db2")
RUNS_ON = Plan(lasts=None)


def job(cmd: str = "work", label: str = "work") -> Job:
    return Job(jid=uuid4().hex, cmd=cmd, label=label)


@flow
def start_and_poll(work: Job, host: str, access: Access, until: Until = OFTEN) -> Record:
    return poll_until(until).submit(start_job.submit(work, host, access), access).result()


@dataclass(frozen=True)
class Polled:
    record: Record
    log: TaskLog


@pytest.fixture(scope="module")
def polled() -> Polled:
    """A job that is seen running three times before it ends, and what was logged of it."""
    fake = FakeHosts(Plan(lasts=None, stdout="waiting\n"))
    with reached_by(fake.connect), TaskLog() as log:
        rest = "\033]0;owned\007\ndone\n"
        log.when("attempt 3 of 301", lambda: fake.ends("pg_dump orders", stdout=rest, stderr="trouble\n"))
        return Polled(start_and_poll(job(label="pg_dump orders"), "db2", SIMULATED), log)


def test_a_job_is_polled_until_it_succeeds(polled: Polled) -> None:
    assert (polled.record.state, polled.record.rc) == (State.SUCCEEDED, 0)
    assert polled.record.stdout == b"waiting\n\033]0;owned\007\ndone\n"
    assert polled.log.having("Retry 3/300 will start")


def test_each_attempt_says_label_host_elapsed_attempt_and_last_line(polled: Polled) -> None:
    first, *_ = polled.log.having("StillRunning")
    assert re.search(r"pg_dump orders on db2: running \d\.\ds, attempt 1 of 301, last line: waiting", first)
    (last,) = polled.log.having("pg_dump orders on db2: succeeded")
    assert re.search(r"succeeded \d+\.\ds, attempt \d+ of 301, last line: trouble", last)


def test_new_output_is_logged_once_and_cannot_command_a_terminal(polled: Polled) -> None:
    shown = [line for line in polled.log.lines if line.startswith("std")]
    assert shown == ["stdout:\nwaiting", "stdout:\n\\x1b]0;owned\\x07\ndone\nstderr:\ntrouble"]


def test_a_job_that_ends_at_once_is_not_polled_twice(access: Access, task_log: TaskLog) -> None:
    record = start_and_poll(job("sleep 1; echo done"), "db1", access, Until(retries=1, delay=60))
    assert (record.state, record.rc, record.stdout) == (State.SUCCEEDED, 0, b"done\n")
    assert task_log.having("work on db1: succeeded")
    assert not task_log.having("Retry")


def test_an_end_is_known_at_once_however_long_the_delay_is(fake: FakeHosts, task_log: TaskLog) -> None:
    fake.plan(".", Plan(lasts=100))
    assert start_and_poll(job(), "db1", SIMULATED, Until(retries=1, delay=110)).state is State.SUCCEEDED
    assert not task_log.having("Retry")


def test_output_in_the_log_is_bounded_and_says_so(fake: FakeHosts, task_log: TaskLog) -> None:
    fake.plan(".", Plan(stdout="".join(f"line {number}\n" for number in range(3000))))
    record = start_and_poll(job(), "db1", SIMULATED)
    shown = [line for line in task_log.lines if line.startswith("stdout")]
    assert "bytes before it not shown" in shown[-1]
    assert shown[-1].endswith("line 2999")
    assert max(map(len, shown)) < 4096 + 100
    assert record.stdout.endswith(b"line 2999\n")
    assert record.stdout.startswith(b"line 0\n")


def test_a_failed_job_fails_at_the_first_poll_with_its_last_lines_and_where_the_others_are(
    access: Access, task_log: TaskLog, capsys: pytest.CaptureFixture[str]
) -> None:
    work = job("echo no space here >&2; exit 3")
    with pytest.raises(JobFailed) as caught:
        start_and_poll(work, "db1", access, Until(retries=30, delay=1))
    command = f"remotejobs log db1 {work.jid} -i {access.inventory} --stderr"
    words = rf"work on db1: failed, rc 3 after \d\.\ds\. Its output: {re.escape(command)}\nno space here"
    assert re.fullmatch(words, str(caught.value))
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == "no space here\n"
    # It may have been seen running before; once it has failed, nothing is tried again.
    assert not task_log.having("exception: JobFailed")


def test_a_job_that_was_killed_is_distinguished_from_one_that_failed(fake: FakeHosts, task_log: TaskLog) -> None:
    fake.plan(".", RUNS_ON)
    work = job()
    task_log.when("attempt 2 of", lambda: jobs_on(SIMULATED, "db1").kill(work.jid))
    with pytest.raises(JobFailed, match="work on db1: killed"):
        start_and_poll(work, "db1", SIMULATED)


def test_running_out_of_retries_leaves_the_job_running_and_says_how_to_find_it(fake: FakeHosts) -> None:
    fake.plan(".", RUNS_ON)
    work = job()

    @flow
    def give_up_and_kill() -> tuple[str, Record]:
        handle = start_job(work, "db1", SIMULATED)
        with pytest.raises(RetriesExhausted) as caught:
            poll_until(Until(retries=1, delay=0.1))(handle, SIMULATED)
        assert jobs_of(SIMULATED, handle).record(work.jid).state is State.RUNNING
        return str(caught.value), kill_job(handle, SIMULATED)

    message, killed = give_up_and_kill()
    assert "attempt 2 of 2" in message
    assert f"left running; check it with: remotejobs status db1 {work.jid} -i {SIMULATED.inventory}" in message
    assert killed.state is State.KILLED
    assert "proven empty" in killed.msg


def test_running_out_of_retries_can_kill_the_job_with_proof(access: Access) -> None:
    with pytest.raises(RetriesExhausted, match="killed on request; its process tree is proven empty") as caught:
        start_and_poll(job("sleep 300"), "db1", access, Until(retries=1, delay=0.1, on_exhausted="kill"))
    assert caught.value.record
    assert (caught.value.record.state, caught.value.record.rc) == (State.KILLED, 143)


def test_a_host_that_is_away_for_a_while_is_not_a_failed_job(
    lab: SshLab, access: Access, task_log: TaskLog, go: Path
) -> None:
    def come_back() -> None:
        lab.start_host("files1")
        go.touch()

    task_log.when("attempt 1 of", lambda: lab.stop_host("files1"))
    task_log.when("exception: ConnectionRefused", come_back)
    record = start_and_poll(job(f"while [ ! -e {go} ]; do sleep 0.05; done"), "files1", access)
    assert record.state is State.SUCCEEDED
    assert task_log.having("exception: ConnectionRefused")


def test_a_retried_flow_run_attaches_to_its_jobs(fake: FakeHosts, task_log: TaskLog) -> None:
    handles: list[Handle] = []

    @flow(retries=1)
    def twice() -> Record:
        work = Job(jid=jid_for("work", "item"), cmd="work", label="work")
        handles.append(start_job(work, "db1", SIMULATED))
        if flow_run.run_count == 1:
            raise RuntimeError("the controller died")
        return poll_until(OFTEN)(handles[-1], SIMULATED)

    assert twice().state is State.SUCCEEDED
    assert handles[0] == handles[1]
    assert task_log.having(f"attached to job {handles[0].jid}")
    assert len(fake.started()) == 1


def test_two_flow_runs_never_share_a_job() -> None:
    @flow
    def jid() -> str:
        return jid_for("work", "item")

    assert jid() != jid()


def test_a_short_command_gives_its_record(access: Access) -> None:
    @flow
    def ask() -> Record:
        return run_command("cat /etc/hostname", "db1", access)

    assert ask().stdout == Path("/etc/hostname").read_bytes()


def test_a_short_command_that_fails_raises(fake: FakeHosts) -> None:
    fake.plan(".", Plan(rc=4, stderr="why\n"))

    @flow
    def ask() -> Record:
        return run_command("ask", "db1", SIMULATED, label="ask")

    with pytest.raises(JobFailed, match=r"ask on db1: failed, rc 4 after .*\nwhy"):
        ask()


def test_a_log_can_be_fetched_beyond_what_a_record_holds(fake: FakeHosts) -> None:
    fake.plan(".", Plan(stdout="x" * 100_000))
    record = jobs_on(SIMULATED, "db1").start(job())
    assert len(record.stdout) == 64 * 1024
    assert len(fetch_log.fn(record.handle, SIMULATED).stdout) == 100_000


def test_cleaning_names_what_it_removes(fake: FakeHosts) -> None:
    done, running = job("true"), job("sleep 300")
    fake.plan("sleep", RUNS_ON)
    for work in (done, running):
        jobs_on(SIMULATED, "db2").start(work)
    for dry_run in (True, False):
        removed = clean_jobs.fn("db2", SIMULATED, older_than=-1, keep=0, dry_run=dry_run)
        assert [record.jid for record in removed] == [done.jid]
    assert [start.job.jid for start in fake.started()] == [running.jid]


def test_a_host_that_the_inventory_does_not_have_is_named(access: Access) -> None:
    with pytest.raises(UsageError, match="'db9' is not a host of"):
        start_job.fn(job("true"), "db9", access)


def test_one_connection_to_each_host_serves_all_tasks(lab: SshLab, access: Access) -> None:
    connections().close()

    @flow
    def several() -> None:
        for run in [run_command.submit(f"echo {number}", "db1", access) for number in range(5)]:
            run.result()

    several()
    assert lab.connections("db1") == 1


def test_a_become_password_is_looked_up_by_its_name(access: Access) -> None:
    secret: Secret[str] = Secret(value=SecretStr("s3cret"))
    secret.save("sudo-on-databases", overwrite=True)
    mine = access.model_copy(update={"become": True, "become_password_block": "sudo-on-databases"})
    assert mine.choice().password == "s3cret"
    assert "s3cret" not in f"{mine!r}{mine.choice()!r}{mine.model_dump_json()}"


def test_a_missing_password_block_is_named(access: Access) -> None:
    with pytest.raises(UsageError, match="Secret block 'nowhere' cannot be read"):
        access.model_copy(update={"become_password_block": "nowhere"}).choice()


def test_a_poll_outside_of_a_flow_asks_once(fake: FakeHosts) -> None:
    fake.plan(".", RUNS_ON)
    handle = jobs_on(SIMULATED, "db1").start(job()).handle
    with pytest.raises(RetriesExhausted, match="attempt 1 of 1"):
        poll_until(Until(retries=0, delay=0)).fn(handle, SIMULATED)


def test_errors_survive_pickling() -> None:
    failed = JobFailed(
        Record(host="db1", jid="j", state=State.FAILED, label="work", rc=3, stderr=b"why"), "remotejobs log db1 j"
    )
    for error in (failed, RetriesExhausted("it still runs", failed.record)):
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), vars(copy)) == (str(error), vars(error))
