"""Nothing runs on under the words "proven empty", and nothing is killed that should live: busy and odd hosts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from faults.host.processes import end_unfinished
from lab.job_files import bearers_of, kill_supervision
from remotejobs.agent.request import Read
from remotejobs.errors import StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record, State
from tests.awaiting import await_true
from tests.shell.shells import ShellConnection, await_dead, await_output, ended, host_jobs, in_every_shell, shell_path

NOBODY, SOMEBODY = 65534, 65533
CROWDED = count(61000 + os.getpid() % 1000 * 4)  # users of whom nothing runs elsewhere

# A process whose first thread has ended looks dead to a reader of its state alone; another thread writes on.
THREAD = """
import ctypes, os, threading, time
def work():
    print(os.getpid(), flush=True)
    while True:
        time.sleep(0.05)
threading.Thread(target=work).start()
ctypes.CDLL(None).pthread_exit(None)
"""


# Starts as many processes as its user may have, and always one more as soon as there is room.
HOG = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for n in range(2000):
    try:
        os.fork() or signal.pause()
    except OSError:
        time.sleep(0.01)
    if n == 40:
        print("full", flush=True)
signal.pause()
"""


class LimitedHost:
    """A host for a user who may have 20 processes."""

    def __init__(self, place: Path, shell: str) -> None:
        place.chmod(0o711)
        self.user = next(CROWDED)
        home = place / "home"
        home.mkdir()
        os.chown(home, self.user, self.user)
        limited = ShellConnection(
            shell_path(place / "bin", shell), home, user=self.user, before=("prlimit", "--nproc=20")
        )
        self.jobs = HostJobs(limited, directory=f"{home}/jobs")

    def start_hog(self, limit: int | None = None) -> Record:
        """The record of a job that has taken all there is."""
        record = self.jobs.start(Job(jid="j", cmd=HOG, interpreter="python3", grace=1, timeout=limit))
        await_true(lambda: (Path(record.results_dir) / "stdout").read_text() == "full\n")
        return record


class Nobody:
    """A host whose jobs are an unprivileged user's; its program `as_other` becomes another user, as sudo does."""

    def __init__(self, place: Path, *, proc: str = "/proc") -> None:
        place.chmod(0o711)
        self.as_other = place / "as_other"
        shutil.copy("/usr/bin/setpriv", self.as_other)
        self.as_other.chmod(0o4755)
        home = place / "home"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        self.connection = ShellConnection("/usr/bin:/bin", home, user=NOBODY, proc=proc)
        self.jobs = HostJobs(self.connection, directory=f"{home}/jobs")


@pytest.fixture
def nobody() -> Iterator[Nobody]:
    with TemporaryDirectory() as name:  # of our own: pytest's directories are closed to other users
        yield Nobody(Path(name))


@pytest.fixture(params=["dash", "busybox"])
def crowded(request: pytest.FixtureRequest) -> Iterator[LimitedHost]:
    with TemporaryDirectory() as name:
        yield LimitedHost(Path(name), request.param)
        end_unfinished(Path(name) / "home/jobs")


@pytest.fixture
def hiding() -> Iterator[Nobody]:
    """The same where /proc hides the processes of other users."""
    with TemporaryDirectory() as name:
        proc = Path(name) / "proc"
        proc.mkdir()
        subprocess.run(["mount", "-t", "proc", "-o", "hidepid=2", "proc", proc], check=True)
        try:
            yield Nobody(Path(name), proc=str(proc))
        finally:
            subprocess.run(["umount", "-l", proc], check=True)


@in_every_shell
def test_a_kill_lets_no_shell_go_on_to_its_next_command(jobs: HostJobs, tmp_path: Path) -> None:
    next_command = f"(sleep 200; echo next >>'{tmp_path}/next') &\n"
    jobs.start(Job(jid="j", cmd=f"{next_command * 20} echo ready; wait; echo next >>'{tmp_path}/next'", grace=5))
    await_output(jobs, "j")
    assert jobs.kill("j").state is State.KILLED
    assert not (tmp_path / "next").exists()


def test_a_child_of_another_user_is_named_however_long_its_killer_takes(nobody: Nobody) -> None:
    stubborn = f"trap '' TERM; exec {nobody.as_other} --reuid {SOMEBODY} --clear-groups sleep 600"
    nobody.jobs.start(Job(jid="j", cmd=f"({stubborn}) & echo $!; wait", grace=0))
    pid = int(await_output(nobody.jobs, "j"))
    await_true(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    nobody.connection.awk = b"sleep 3; awk"  # a busy host: each scan takes so long
    record = nobody.jobs.kill("j", grace=0)
    nobody.connection.awk = b"awk"
    try:
        assert (ended(nobody.jobs, "j").state, record.survivors) == (State.KILLED, f"{pid}(sleep)")
        assert "proven" not in record.msg
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_process_whose_main_thread_has_ended_is_ended_by_the_limit(dash: HostJobs) -> None:
    for limit in (2, 10, 50):  # the first at which Python begins in time
        jid = f"j{limit}"
        dash.start(Job(jid=jid, cmd=THREAD, interpreter="python3", timeout=limit, grace=1))
        record = ended(dash, jid)
        assert record.state is State.TIMED_OUT
        if record.stdout:
            break
    await_dead(int(record.stdout))


def test_a_process_whose_main_thread_has_ended_still_runs_and_its_directory_stays(dash: HostJobs) -> None:
    record = dash.start(Job(jid="j", cmd=f"setsid python3 -c '{THREAD}' & wait", grace=0))
    pid = int(await_output(dash, "j"))
    await_true(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z")
    kill_supervision(record)
    assert record.pid
    os.kill(record.pid, signal.SIGKILL)
    assert ended(dash, "j").state is State.LOST
    assert dash.clean(older_than=-1) == ()
    dash.kill("j")
    await_dead(pid)


def test_where_processes_are_hidden_nothing_is_proven_by_not_seeing_them(hiding: Nobody) -> None:
    hidden = f"{hiding.as_other} --reuid {SOMEBODY} --clear-groups sleep 600"
    hiding.jobs.start(Job(jid="j", cmd=f"{hidden} & echo $!; wait", grace=0))
    pid = int(await_output(hiding.jobs, "j"))
    await_true(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    record = hiding.jobs.kill("j")
    alive = Path(f"/proc/{pid}").exists()
    if alive:
        os.kill(pid, signal.SIGKILL)
    assert record.state is State.KILLED
    assert "proven empty" not in record.msg or not alive


def test_an_agent_that_hides_its_environment_is_ended_or_named(nobody: Nobody) -> None:
    nobody.jobs.start(Job(jid="j", cmd='eval "$(ssh-agent)" >/dev/null; echo $SSH_AGENT_PID; sleep 600', grace=0))
    pid = int(await_output(nobody.jobs, "j"))
    record = nobody.jobs.kill("j")
    alive = Path(f"/proc/{pid}").exists()
    if alive:
        os.kill(pid, signal.SIGKILL)
    assert f"{pid}(ssh-agent)" in record.msg or not alive


def test_silence_is_known_by_sizes_and_not_by_the_clock(dash: HostJobs) -> None:
    # The times of the output are older than those of the timer, as where the clock was set back.
    cmd = 'for n in 1 2 3 4 5 6 7 8 9; do echo; touch -d 2000-01-01 "$REMOTEJOBS_DIR/stdout"; sleep 0.4; done'
    dash.start(Job(jid="j", cmd=cmd, idle_timeout=2))
    assert ended(dash, "j").state is State.SUCCEEDED


def test_a_user_at_the_limit_of_processes_is_answered_and_the_job_ends(crowded: LimitedHost) -> None:
    record = crowded.start_hog()
    assert "as many as it may" in crowded.jobs.record("j").msg
    assert crowded.jobs.kill("j").state is State.KILLED
    assert bearers_of(record) == []


@pytest.mark.parametrize("crowded", ["dash"], indirect=True)
def test_the_time_limit_holds_for_a_user_at_the_limit_of_processes(crowded: LimitedHost) -> None:
    record = crowded.start_hog(limit=3)
    await_true((Path(record.results_dir) / "result").exists)
    assert (crowded.jobs.record("j").state, bearers_of(record)) == (State.TIMED_OUT, [])


@in_every_shell
def test_output_beyond_two_gibibytes_is_read_to_its_end(jobs: HostJobs) -> None:
    size = 3 * 1024**3
    jobs.start(Job(jid="j", cmd=f'truncate -s {size} "$REMOTEJOBS_DIR/stdout"; printf end'))
    record = ended(jobs, "j")
    assert (record.stdout_bytes, record.stdout[-4:]) == (size + 3, b"\0end")
    rest = jobs.status([Read("j", size + 1, 0)])[0]
    assert (rest.stdout_from, rest.stdout) == (size + 1, b"nd")


@in_every_shell
def test_more_environment_than_a_program_can_be_given_is_refused_and_nothing_is_run(jobs: HostJobs) -> None:
    with pytest.raises(StartFailed, match="variables of env are 140.* characters"):
        jobs.start(Job(jid="j", cmd="true", env={"X": "x" * 140_000}))
    assert jobs.list() == ()
    jobs.start(Job(jid="j", cmd="echo $((${#X} + ${#Y}))", env={"X": "x" * 70_000, "Y": "y" * 70_000}))
    assert ended(jobs, "j").stdout.strip() == b"140000"


def test_a_shell_that_cannot_read_a_command_in_its_locale_says_so(tmp_path: Path) -> None:
    for jobs in host_jobs(tmp_path, shell_path(tmp_path / "bin", "yash")):
        connection = jobs._connection
        assert isinstance(connection, ShellConnection)
        connection.env["LANG"] = "C"
        with pytest.raises(StartFailed, match="yash, which reads no bytes above 127 in the locale C; set a UTF-8"):
            jobs.start(Job(jid="j", cmd="echo é"))
        assert jobs.list() == ()
        connection.env["LANG"] = "C.UTF-8"
        jobs.start(Job(jid="j", cmd="echo é"))
        assert ended(jobs, "j").stdout == "é\n".encode()
