"""A time limit or a kill ends the whole process tree, and says so only when that is proven."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lab.job_files import bearers_of, kill_supervision, supervisor_of
from remotejobs.errors import ConnectionLost
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.awaiting import await_true
from tests.shell.shells import STUBBORN, ShellConnection, await_dead, await_none, await_output, ended, in_every_shell


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A FIFO on which a command reports that it got so far."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


@in_every_shell
def test_kill_is_proven_and_idempotent(jobs: HostJobs, gate: Path) -> None:
    jobs.start(Job(jid="j", cmd=f"echo >'{gate}'; {STUBBORN}", grace=0))
    gate.read_text()
    record = jobs.kill("j")
    assert (record.state, record.msg) == (State.KILLED, "killed on request; its process tree is proven empty")
    assert bearers_of(record) == []
    assert jobs.kill("j") == record


def test_killing_what_has_ended_changes_nothing(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd="exit 3"))
    before = ended(jobs, "j")
    assert jobs.kill("j") == before


@in_every_shell
def test_a_killed_supervisor_makes_the_job_lost_and_the_record_says_that_the_command_runs(
    jobs: HostJobs, gate: Path
) -> None:
    record = jobs.start(Job(jid="j", cmd=f"setsid sleep 600 & read -r _ <'{gate}'", grace=0))
    kill_supervision(record)
    lost = ended(jobs, "j")
    assert (lost.state, lost.cause, lost.rc) == (State.LOST, "gone", None)
    assert lost.msg.endswith(f"the command still runs as pid {record.pid}")
    killed = jobs.kill("j")
    assert (killed.state, killed.survivors, killed.proof) == (State.KILLED, "", "scan")
    assert bearers_of(record) == []


def test_a_killed_supervisor_whose_command_is_gone_too_is_lost_with_an_unknown_rc(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600", timeout=600))
    kill_supervision(record)
    assert record.pid
    while os.getpgid(record.pid) != record.pid:  # reported when it is about to run, a moment before it leads its group
        os.sched_yield()
    os.killpg(record.pid, signal.SIGKILL)
    await_dead(record.pid)
    lost = ended(jobs, "j")
    assert (lost.state, lost.cause) == (State.LOST, "gone")
    assert lost.msg.endswith("its rc is not known")
    assert jobs.kill("j").state is State.LOST


@in_every_shell
def test_nothing_of_ours_runs_on_after_a_job_ended_in_whatever_way(jobs: HostJobs) -> None:
    ends = {"exit 0": State.SUCCEEDED, "exit 1": State.FAILED, "sleep 600": State.TIMED_OUT, "sleep 601": State.KILLED}
    records = {
        state: jobs.start(Job(jid=str(state), cmd=cmd, timeout=1 if state is State.TIMED_OUT else 600))
        for cmd, state in ends.items()
    }
    jobs.kill(str(State.KILLED))
    for state, record in records.items():
        assert ended(jobs, record.jid).state is state
        await_none(record)


def test_what_cannot_be_killed_is_named_and_nothing_is_called_proven() -> None:
    nobody = 65534
    with TemporaryDirectory() as name:  # of our own: pytest's directories are closed to other users
        place = Path(name)
        place.chmod(0o711)
        as_root, home = place / "as_root", place / "home"
        shutil.copy("/usr/bin/setpriv", as_root)
        as_root.chmod(0o4755)
        home.mkdir()
        os.chown(home, nobody, nobody)
        connection = ShellConnection("/usr/bin:/bin", home, user=nobody)
        jobs = HostJobs(connection, directory=f"{home}/jobs")
        jobs.start(Job(jid="j", cmd=f"{as_root} --reuid 0 sleep 600 & echo $!; wait", grace=0))
        pid = int(await_output(jobs, "j"))
        while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
            os.sched_yield()
        # The first killer dies at its second scan, when the command is dead; the next must know what the first one saw.
        connection.awk = b"[ ! -e known ] || kill -KILL $$; awk"
        with pytest.raises(ConnectionLost):
            jobs.kill("j", grace=0)
        connection.awk = b"awk"
        record = ended(jobs, "j")
        assert (record.state, record.survivors) == (State.KILLED, f"{pid}(sleep)")
        assert "proven" not in record.msg
        # Its parent is dead and its environment is closed to us: only the record still knows which job it belongs to.
        assert jobs.kill("j", grace=0).survivors == record.survivors
        assert jobs.clean(older_than=0) == ()
        os.kill(pid, signal.SIGKILL)
        await_dead(pid)
        assert jobs.kill("j", grace=0).survivors == ""


def test_a_killer_that_dies_midway_leaves_the_job_killable(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd=STUBBORN, timeout=600, grace=0))
    place = Path(record.results_dir)
    os.link(place / "cmd", place / "ending")  # all that a killer had done when it died
    killed = jobs.kill("j", grace=0)
    assert (killed.state, bearers_of(record)) == (State.KILLED, [])
    assert "proven empty" in killed.msg


def test_a_child_cannot_name_others_as_the_jobs_to_have_them_killed(dash: HostJobs) -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as victim:
        forged = f"\n==> /proc/{victim.pid}/environ <==\nREMOTEJOBS_TOKEN="
        cmd = (
            "import ctypes, os, subprocess, sys\n"
            f"child = {{'X': {forged!r} + os.environ['REMOTEJOBS_TOKEN'] + '\\n'}}\n"
            "subprocess.Popen(['/bin/sleep', '600'], env={**os.environ, **child})\n"
            f"ctypes.CDLL(None).prctl(15, b'\\n{victim.pid} (', 0, 0, 0)\n"
            "print('ready', flush=True)\n"
            "subprocess.run(['/bin/sleep', '600'])\n"
        )
        record = dash.start(Job(jid="j", cmd=cmd, interpreter="python3"))
        await_output(dash, "j")
        killed = dash.kill("j", grace=0)
        assert (killed.state, killed.survivors, bearers_of(record)) == (State.KILLED, "", [])
        assert victim.poll() is None
        victim.kill()


def test_what_survived_is_ended_by_a_later_kill_and_not_cleaned_before(dash: HostJobs) -> None:
    connection = dash._connection
    assert isinstance(connection, ShellConnection)
    connection.adopts = False
    record = dash.start(Job(jid="j", cmd="sleep 600 & setsid sleep 600 & sleep 600", grace=1))
    connection.awk = b"false"  # blind: no process can be listed
    assert dash.kill("j").msg.endswith("NOT PROVEN EMPTY after KILL: unknown (the processes could not be listed)")
    connection.awk = b"awk"
    assert dash.clean(older_than=0) == ()
    assert dash.kill("j").survivors == ""
    assert bearers_of(record) == []
    assert len(dash.clean(older_than=0)) == 1


@pytest.mark.parametrize("time", range(2))
def test_a_process_that_starts_another_and_ends_at_once_is_killed_or_named_and_never_proven_away(
    dash: HostJobs, tmp_path: Path, time: int
) -> None:
    hop = tmp_path / "hop"
    hop.write_text('if [ -e "$0" ]; then setsid sh "$0" & fi')
    record = dash.start(Job(jid="j", cmd=f"sh '{hop}'; sleep 600", grace=0))
    try:
        killed = dash.kill("j")
        seen = [pid for _ in range(20) for pid in bearers_of(record)]
        assert killed.survivors.startswith("unknown (") or not seen, killed.msg
    finally:
        hop.unlink()
    await_none(record)


def test_a_stopped_supervisor_is_reported_and_stops_neither_the_limit_nor_a_kill(jobs: HostJobs) -> None:
    cmd = "setsid sleep 600 & sleep 600"
    endless = jobs.start(Job(jid="endless", cmd=cmd, grace=0))
    limited = jobs.start(Job(jid="limited", cmd=cmd, timeout=2, grace=0))
    for record in (limited, endless):
        os.kill(supervisor_of(record), signal.SIGSTOP)
    await_true(lambda: "stopped" in jobs.record("endless").msg)  # a process stops a little after its signal
    killed = jobs.kill("endless")
    assert (killed.state, bearers_of(endless)) == (State.KILLED, [])
    assert "proven empty" in killed.msg
    assert (ended(jobs, "limited").state, bearers_of(limited)) == (State.TIMED_OUT, [])
