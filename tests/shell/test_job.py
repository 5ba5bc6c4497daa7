"""A command runs detached, exactly as it was given, and its end is reported exactly."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.job_files import fields_of
from remotejobs.errors import JobExists, StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record, State
from remotejobs.progress import Progress
from tests.shell.shells import await_output, ended, in_every_shell

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)


@in_every_shell
def test_rc_comes_back_exact(jobs: HostJobs) -> None:
    codes = (0, 1, 3, 125, 126, 127, 128, 137, 255)
    for rc in codes:
        jobs.start(Job(jid=f"j{rc}", cmd=f"exit {rc}"))
    reported = {rc: ended(jobs, f"j{rc}") for rc in codes}
    assert {rc: (record.rc, record.signal, record.state) for rc, record in reported.items()} == {
        rc: (rc, None, State.FAILED if rc else State.SUCCEEDED) for rc in codes
    }


@in_every_shell
def test_a_start_that_waits_answers_with_the_end_and_says_first_that_it_is_started(jobs: HostJobs) -> None:
    said: list[Record] = []
    started = Job(jid="j", cmd='until [ -e "$REMOTEJOBS_DIR/go" ]; do sleep 0.1; done; echo done; exit 3')
    record = jobs.start(started, wait=1, on_start=said.append)
    assert (record.state, record.stdout, [one.state for one in said]) == (State.RUNNING, b"", [State.RUNNING])
    (Path(record.results_dir) / "go").touch()
    assert ended(jobs, "j").rc == 3

    soon = Job(jid="soon", cmd='sleep 0.3; echo "job soon"; exit 3')
    for attached in (False, True):
        record = jobs.start(soon, wait=60, on_start=said.append)
        assert (record.state, record.rc, record.stdout) == (State.FAILED, 3, b"job soon\n")
        assert record.attached is attached
    assert len(said) == 3


@in_every_shell
def test_a_command_that_dies_by_a_signal_names_it(jobs: HostJobs) -> None:
    names = ("KILL", "TERM", "SEGV", "HUP")
    for name in names:  # by perl: a shell may turn a signal into an exit
        jobs.start(Job(jid=name, cmd=f"kill {name}, $$; sleep 600", interpreter="perl"))
    reported = {name: ended(jobs, name) for name in names}
    assert {name: (record.state, record.signal) for name, record in reported.items()} == {
        name: (State.FAILED, name) for name in names
    }


@in_every_shell
def test_the_command_is_a_file_of_its_own_so_exit_quotes_and_lines_are_its_own(jobs: HostJobs) -> None:
    cmd = "# a 'comment\"\nx='it''s' y=\"$x `echo z`\"\n"
    cmd += "printf '%s\\n' \"$y\" \\\n  '$HOME' \"!\" >&2\nfalse\nexit 7\nnever"
    jobs.start(Job(jid="j", cmd=cmd))
    record = ended(jobs, "j")
    assert (record.rc, record.stderr, record.stdout, record.cmd) == (7, b"its z\n$HOME\n!\n", b"", cmd)


@in_every_shell
def test_all_bytes_of_both_streams_come_back_apart_and_exact(jobs: HostJobs) -> None:
    every = "".join(f"\\{n:03o}" for n in range(256))
    jobs.start(Job(jid="j", cmd=f"printf '{every}'; printf 'e{every}' >&2"))
    record = ended(jobs, "j")
    assert (record.stdout, record.stderr) == (bytes(range(256)), b"e" + bytes(range(256)))


def test_results_show_the_last_64_kib_and_say_so(dash: HostJobs) -> None:
    dash.start(Job(jid="j", cmd="yes 0123456 | head -c 100000; printf end"))
    record = ended(dash, "j")
    assert (record.stdout_bytes, record.stdout_from, len(record.stdout)) == (100003, 100003 - 65536, 65536)
    assert record.stdout.endswith(b"end")


# Signals 32 and 33. GNU make 4.3 lets its children ignore them, and glibc lets no program change that.
THE_C_LIBRARY_S_OWN = 0b11 << 31


@in_every_shell
def test_the_job_has_its_own_session_no_input_and_default_signals(jobs: HostJobs) -> None:
    cmd = "cat; read -r _ _ _ _ group session _ </proc/$$/stat; echo $$ $group $session"
    cmd += "; grep -E 'Sig(Ign|Blk)' /proc/self/status"
    jobs.start(Job(jid="j", cmd=cmd))
    line, *signals = ended(jobs, "j").stdout.decode().splitlines()
    pid, group, session = line.split()
    assert pid == group == session
    assert [int(mask.split()[1], 16) & ~THE_C_LIBRARY_S_OWN for mask in signals] == [0, 0]


def test_the_job_keeps_the_logins_umask_and_starts_in_its_home(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd="umask; pwd"))
    mask = os.umask(0)
    os.umask(mask)
    umask, home = ended(jobs, "j").stdout.decode().splitlines()
    assert int(umask, 8) == mask
    assert home.endswith("home with 'quotes'")


@in_every_shell
def test_chdir_env_label_and_interpreter_reach_the_command(jobs: HostJobs, tmp_path: Path) -> None:
    # Names of variables that the agent uses itself must not disturb it, and secrets stay out of its files.
    env = {"GREETING": 'it\'s "me"\n$(date) `id`', "dir": "/nowhere", "cmd": "x", "IFS": "a", "PATH": "/usr/bin:/bin"}
    cmd = "import os,sys; print(os.getcwd()); print(os.environ['GREETING']); print(sys.flags.optimize)"
    place = tmp_path / "a dir"
    place.mkdir()
    record = jobs.start(Job(jid="j", cmd=cmd, chdir=str(place), env=env, label="my label", interpreter="python3 -O"))
    assert ended(jobs, "j").stdout.decode() == f"{place}\n{env['GREETING']}\n1\n"
    assert jobs.record("j").label == "my label"
    assert not [
        f
        for f in Path(record.results_dir).iterdir()
        if f.name != "stdout" and f.is_file() and b"it's" in f.read_bytes()
    ]


def test_directories_are_0700_and_files_0600(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd="echo x", timeout=60))
    place = Path(ended(jobs, "j").results_dir)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in [place.parent, place, *place.iterdir()]}
    assert {mode for name, mode in modes.items() if name in ("jobs", "j")} == {0o700}
    assert {mode for name, mode in modes.items() if name not in ("jobs", "j")} == {0o600}, modes


@in_every_shell
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT.filter(str.strip), TEXT, TEXT)
def test_any_text_reaches_the_host_as_it_is(jobs: HostJobs, cmd: str, label: str, value: str) -> None:
    label = "".join(char for char in label if char.isprintable())
    jid = f"t{uuid4().hex}"
    jobs.start(Job(jid=jid, cmd=cmd, label=label, interpreter="cat /proc/self/environ", env={"VALUE": value}))
    record = ended(jobs, jid)
    *environment, command = record.stdout.split(b"\0")
    assert (command, record.cmd, record.label) == (
        cmd.encode(),
        cmd,
        label.strip(" ") if not label.strip(" ") else label,
    )
    assert f"VALUE={value}".encode() in environment


def test_starting_the_same_command_again_attaches(jobs: HostJobs, tmp_path: Path) -> None:
    job = Job(jid="j", cmd=f"echo ran >>'{tmp_path}/ran'; read -r _ <'{tmp_path}/go'")
    os.mkfifo(tmp_path / "go")
    first = jobs.start(job)
    again = jobs.start(job)
    assert (first.attached, again.attached, again.state, again.pid) == (False, True, State.RUNNING, first.pid)
    (tmp_path / "go").write_text("\n")
    ended(jobs, "j")
    assert jobs.start(job).state is State.SUCCEEDED
    assert (tmp_path / "ran").read_text() == "ran\n"


def test_the_same_jid_with_another_command_is_an_error_that_names_both(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd="echo one"))
    with pytest.raises(JobExists, match="'echo one'.*'echo two'"):
        jobs.start(Job(jid="j", cmd="echo two"))
    with pytest.raises(JobExists, match="interpreter, chdir or env differ"):
        jobs.start(Job(jid="j", cmd="echo one", env={"A": "b"}))


@in_every_shell
def test_what_cannot_run_is_refused_and_leaves_nothing(jobs: HostJobs) -> None:
    for job in (Job(jid="j", cmd="true", chdir="/no/such"), Job(jid="j", cmd="true", interpreter="nonesuch")):
        with pytest.raises(StartFailed, match=r"/no/such|nonesuch"):
            jobs.start(job)
    assert jobs.list() == ()
    assert not jobs.start(Job(jid="j", cmd="true")).attached


def test_times_are_utc_in_iso_8601_and_delta_is_the_run_time(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd="sleep 0.2"))
    record = ended(jobs, "j")
    assert record.start.endswith("Z") and record.end >= record.start
    assert record.delta is not None and record.delta >= 0.2
    assert fields_of(record.results_dir)["remotejobs"] == "1"


def test_a_job_may_say_how_far_it_is(jobs: HostJobs) -> None:
    says = 'echo "10 started" >"$REMOTEJOBS_PROGRESS"; printf "40 %% copying orders" >>"$REMOTEJOBS_PROGRESS"'
    jobs.start(Job(jid="j", cmd=f"{says}; echo said; sleep 600"))
    await_output(jobs, "j")
    assert jobs.record("j").progress == Progress(40, "copying orders")
    assert jobs.list()[0].progress == Progress(40, "copying orders")
