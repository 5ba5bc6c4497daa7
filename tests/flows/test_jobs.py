"""A job started and polled by Prefect tasks, on real hosts."""

from __future__ import annotations

import pickle
import re
import shlex
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import flow
from prefect.blocks.system import Secret
from prefect.runtime import flow_run
from pydantic import SecretStr

from lab.sshd import SshLab
from remotejobs.cli import main
from remotejobs.errors import BadUse
from remotejobs.model import Handle, Job, Record, State
from tasks.access import Access
from tasks.connections import connections, jobs_of
from tasks.errors import JobFailed, RetriesExhausted
from tasks.jids import jid_for
from tasks.jobs import clean_jobs, fetch_log, kill_job, poll_until, run_command, start_job
from tasks.until import Until
from tests.task_log import TaskLog

OFTEN = Until(retries=300, delay=0.1)


def job(cmd: str, label: str = "work") -> Job:
    return Job(jid=uuid4().hex, cmd=cmd, label=label)


def waiting_for(go: Path, then: str = "echo done") -> str:
    return f"echo waiting; while [ ! -e {go} ]; do sleep 0.05; done; {then}"


@flow
def start_and_poll(work: Job, host: str, access: Access, until: Until = OFTEN) -> Record:
    return poll_until(until).submit(start_job.submit(work, host, access), access).result()


def test_a_job_is_polled_until_it_succeeds(access: Access, task_log: TaskLog, go: Path) -> None:
    task_log.when("attempt 3 of 301", go.touch)
    record = start_and_poll(job(waiting_for(go)), "db1", access)
    assert (record.state, record.rc, record.stdout) == (State.SUCCEEDED, 0, b"waiting\ndone\n")
    assert task_log.having("Retry 3/300 will start")


def test_each_attempt_says_label_host_elapsed_attempt_and_last_line(
    access: Access, task_log: TaskLog, go: Path
) -> None:
    task_log.when("last line: waiting", go.touch)
    start_and_poll(job(waiting_for(go), label="pg_dump orders"), "db2", access)
    first = task_log.having("StillRunning")[0]
    assert re.search(r"pg_dump orders on db2: running \d\.\ds, attempt 1 of 301, ", first)
    (last,) = task_log.having("pg_dump orders on db2: succeeded")
    assert re.search(r"succeeded \d+\.\ds, attempt \d+ of 301, last line: done", last)


def test_a_job_that_ends_at_once_is_not_looked_at_twice(access: Access, task_log: TaskLog) -> None:
    start_and_poll(job("sleep 1"), "db1", access, Until(retries=1, delay=60))
    assert task_log.having("work on db1: succeeded")
    assert not task_log.having("Retry")


def test_new_output_is_logged_once_and_cannot_command_a_terminal(access: Access, task_log: TaskLog, go: Path) -> None:
    task_log.when("waiting", go.touch)
    start_and_poll(job(waiting_for(go, then=r"printf '\033]0;owned\007'; echo trouble >&2")), "db1", access)
    shown = [line for line in task_log.having("std") if line.startswith("std")]
    assert shown == ["stdout:\nwaiting", "stdout:\n\\x1b]0;owned\\x07\nstderr:\ntrouble"]


def test_output_in_the_log_is_bounded_and_says_so(access: Access, task_log: TaskLog) -> None:
    record = start_and_poll(job("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done"), "db1", access)
    shown = [line for line in task_log.lines if line.startswith("stdout")]
    assert "bytes before it not shown" in shown[-1]
    assert shown[-1].endswith("line 2999")
    assert max(map(len, shown)) < 4096 + 100
    assert record.stdout.endswith(b"line 2999\n")
    assert record.stdout.startswith(b"line 0\n")


def test_a_failed_job_fails_at_the_first_look_with_its_last_lines_and_where_the_others_are(
    access: Access, task_log: TaskLog, capsys: pytest.CaptureFixture[str]
) -> None:
    work = job("echo no space here >&2; exit 3")
    with pytest.raises(JobFailed) as caught:
        start_and_poll(work, "db1", access, Until(retries=30, delay=0.1))
    look = f"remotejobs log db1 {work.jid} -i {access.inventory} --stderr"
    words = rf"work on db1: failed, rc 3 after \d\.\ds\. Its output: {re.escape(look)}\nno space here"
    assert re.fullmatch(words, str(caught.value))
    assert main(shlex.split(look)[1:]) == 0
    assert capsys.readouterr().out == "no space here\n"
    # It may have been seen running before; once it has failed, nothing is tried again.
    assert not task_log.having("exception: JobFailed")


def test_a_job_that_was_killed_is_told_from_one_that_failed(access: Access, task_log: TaskLog) -> None:
    work = job("sleep 300")
    handle = Handle(host="db1", jid=work.jid, label="work")
    task_log.when("attempt 2 of", lambda: jobs_of(access, handle).kill(work.jid))
    with pytest.raises(JobFailed, match="work on db1: killed"):
        start_and_poll(work, "db1", access)


def test_running_out_of_retries_leaves_the_job_running_and_says_how_to_find_it(access: Access) -> None:
    work = job("sleep 300")

    @flow
    def give_up_and_kill() -> tuple[str, Record]:
        handle = start_job(work, "db1", access)
        with pytest.raises(RetriesExhausted) as caught:
            poll_until(Until(retries=1, delay=0.1))(handle, access)
        assert jobs_of(access, handle).look(work.jid).state is State.RUNNING
        return str(caught.value), kill_job(handle, access)

    message, killed = give_up_and_kill()
    assert "attempt 2 of 2" in message
    assert f"left running; look at it with: remotejobs status db1 {work.jid} -i {access.inventory}" in message
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
    record = start_and_poll(job(waiting_for(go)), "files1", access)
    assert record.state is State.SUCCEEDED
    assert task_log.having("exception: ConnectionRefused")


def test_a_retried_flow_run_attaches_to_its_jobs(access: Access, task_log: TaskLog, tmp_path: Path) -> None:
    handles: list[Handle] = []

    @flow(retries=1)
    def twice() -> Record:
        work = Job(jid=jid_for("work", "item"), cmd=f"echo started >>{tmp_path}/starts", label="work")
        handles.append(start_job(work, "db1", access))
        if flow_run.run_count == 1:
            raise RuntimeError("the controller died")
        return poll_until(OFTEN)(handles[-1], access)

    assert twice().state is State.SUCCEEDED
    assert handles[0] == handles[1]
    assert task_log.having(f"attached to job {handles[0].jid}")
    assert (tmp_path / "starts").read_text() == "started\n"


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


def test_a_short_command_that_fails_raises(access: Access) -> None:
    @flow
    def ask() -> Record:
        return run_command("echo why >&2; exit 4", "db1", access, label="ask")

    with pytest.raises(JobFailed, match=r"ask on db1: failed, rc 4 after .*\nwhy"):
        ask()


def test_a_log_can_be_fetched_beyond_what_a_record_holds(access: Access) -> None:
    @flow
    def fetch() -> tuple[Record, Record]:
        handle = start_job(job("head -c 100000 /dev/zero"), "db1", access)
        return poll_until(OFTEN)(handle, access), fetch_log(handle, access)

    record, log = fetch()
    assert len(record.stdout) == 64 * 1024
    assert len(log.stdout) == 100_000


def test_cleaning_names_what_it_removes(access: Access) -> None:
    done, running = job("true"), job("sleep 300")

    @flow
    def clean() -> tuple[set[str], set[str], set[str]]:
        start_and_poll(done, "db2", access)
        handle = start_job(running, "db2", access)
        would = clean_jobs("db2", access, older_than=-1, keep=0, dry_run=True)
        removed = clean_jobs("db2", access, older_than=-1, keep=0, dry_run=False)
        left = jobs_of(access, handle).list()
        kill_job(handle, access)
        return {one.jid for one in would}, {one.jid for one in removed}, {one.jid for one in left}

    would, removed, left = clean()
    assert would == removed
    assert done.jid in removed
    assert left == {running.jid}


def test_a_host_that_the_inventory_does_not_have_is_named(access: Access) -> None:
    with pytest.raises(BadUse, match="'db9' is not a host of"):
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
    with pytest.raises(BadUse, match="Secret block 'nowhere' cannot be read"):
        access.model_copy(update={"become_password_block": "nowhere"}).choice()


def test_a_poll_outside_of_a_flow_looks_once(access: Access) -> None:
    with pytest.raises(RetriesExhausted, match="attempt 1 of 1"):
        poll_until(Until(retries=0, delay=0)).fn(start_outside(access), access)


def start_outside(access: Access) -> Handle:
    handle = Handle(host="db1", jid=uuid4().hex, label="work")
    jobs_of(access, handle).start(Job(jid=handle.jid, cmd="sleep 2"))
    return handle


def test_errors_survive_pickling() -> None:
    failed = JobFailed(
        Record(host="db1", jid="j", state=State.FAILED, label="work", rc=3, stderr=b"why"), "remotejobs log db1 j"
    )
    for error in (failed, RetriesExhausted("it still runs", failed.record)):
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), vars(copy)) == (str(error), vars(error))
