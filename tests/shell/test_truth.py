"""No state is a guess: whatever happens to the host or to the files, only what is proven is reported."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from faults.host.points import act_at
from lab.job_files import kill_supervision, supervisor_of
from remotejobs.agent.request import Read
from remotejobs.connections.base import Question, Reply
from remotejobs.errors import DirectoryRefused, InvalidJob, JobNotFound, ProtocolError, StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.shell.shells import ShellConnection, await_dead, ended, in_every_shell, own_memory


def test_a_start_that_was_cut_off_before_the_gate_is_reported_and_can_be_started_again(
    jobs: HostJobs, tmp_path: Path
) -> None:
    job = Job(jid="j", cmd=f"echo ran >>'{tmp_path}/ran'")
    jobs.start(Job(jid="other", cmd="true"))
    place = Path(ended(jobs, "other").results_dir).parent / "j"
    place.mkdir(mode=0o700)
    (place / "cmd").write_text("echo r")
    assert (jobs.record("j").state, jobs.record("j").cause) == (State.LOST, "never")
    assert jobs.start(job).attached is False
    assert ended(jobs, "j").state is State.SUCCEEDED
    assert (tmp_path / "ran").read_text() == "ran\n"


@in_every_shell
def test_many_starts_of_one_jid_at_once_run_it_once(jobs: HostJobs, tmp_path: Path) -> None:
    job = Job(jid="j", cmd=f"echo ran >>'{tmp_path}/ran'")
    with ThreadPoolExecutor(8) as pool:
        records = list(pool.map(lambda _: jobs.start(job), range(8)))
    assert [record.attached for record in records].count(False) == 1
    assert ended(jobs, "j").state is State.SUCCEEDED
    assert (tmp_path / "ran").read_text() == "ran\n"


def test_a_reboot_makes_a_running_job_lost(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600"))
    gate = Path(record.results_dir) / "job"
    jobs.kill("j", grace=0)
    (gate.parent / "result").unlink()
    text = gate.read_text()
    gate.write_text(
        "\n".join("boot earlier" if line.startswith("boot ") else line for line in text.splitlines()) + "\n"
    )
    assert (jobs.record("j").state, jobs.record("j").cause) == (State.LOST, "rebooted")


@in_every_shell
def test_killing_a_job_that_never_ran_makes_sure_that_it_never_will(jobs: HostJobs) -> None:
    jobs.start(Job(jid="other", cmd="true"))
    place = Path(ended(jobs, "other").results_dir).parent / "j"
    place.mkdir(mode=0o700)
    (place / "cmd").write_text("echo r")
    record = jobs.kill("j")
    assert (record.state, record.cause) == (State.LOST, "never")
    assert "now cannot be" in record.msg
    assert not place.exists()


def test_a_directory_that_another_user_put_there_is_not_entered(dash: HostJobs, tmp_path: Path) -> None:
    base = tmp_path / "shared"
    base.mkdir(mode=0o777)
    there = HostJobs(dash._connection, directory=str(base))
    for jid in ("theirs", "link"):
        (base / "theirs").mkdir(exist_ok=True)
        os.chown(base / "theirs", 65534, 65534)
        if jid == "link":
            (tmp_path / "mine").mkdir()
            (base / "link").symlink_to(tmp_path / "mine")
        with pytest.raises(StartFailed, match="belongs to another user"):
            there.start(Job(jid=jid, cmd="id"))
        with pytest.raises(JobNotFound):
            there.record(jid)
    assert there.list() == ()


def test_what_the_logins_environment_says_to_ls_changes_no_output(
    dash: HostJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = dash._connection
    assert isinstance(connection, ShellConnection)
    connection.env |= {"TIME_STYLE": "long-iso", "BLOCK_SIZE": "1K", "LS_BLOCK_SIZE": "1K"}
    dash.start(Job(jid="j", cmd="echo out; echo err >&2"))
    record = ended(dash, "j")
    assert (record.stdout, record.stderr) == (b"out\n", b"err\n")


def test_a_job_that_takes_its_output_away_hides_no_other(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd='echo err >&2; rm "$REMOTEJOBS_DIR/stdout"'))
    record = ended(jobs, "j")
    assert (record.state, record.stdout, record.stderr) == (State.SUCCEEDED, b"", b"err\n")


@in_every_shell
@pytest.mark.parametrize("read", [Read("j"), Read("j", 2, 2)], ids=["whole", "the rest"])
def test_a_job_that_is_cleaned_away_while_its_output_is_read_is_reported_as_gone_and_not_as_damaged(
    jobs: HostJobs, read: Read
) -> None:
    connection = jobs._connection
    assert isinstance(connection, ShellConnection)
    job = Job(jid="j", cmd="echo output")
    jobs.start(job)
    ended(jobs, "j")
    cleaned = 'mv "$dir" "$base/.void.x" && rm -rf "$base/.void.x"'
    connection.change = lambda script: act_at(script, "rj_blob:1", cleaned)
    with pytest.raises(JobNotFound, match="was taken away while it was read"):
        jobs.status([read])
    connection.change = lambda script: script
    jobs.start(job)
    ended(jobs, "j")
    connection.change = lambda script: act_at(script, "rj_blob:1", cleaned)
    with pytest.raises(StartFailed, match="was taken away by a kill or a clean"):
        jobs.start(job)


@pytest.mark.parametrize("thing", ["ln -s /dev/zero", "mkfifo", "mkdir"])
def test_what_a_job_puts_in_place_of_its_files_holds_no_question_up(dash: HostJobs, thing: str) -> None:
    names = ("stdout", "stderr", "processes")
    cmd = f'cd "$REMOTEJOBS_DIR"; rm -f {" ".join(names)}; {"; ".join(f"{thing} {name}" for name in names)}; exit 3'
    dash.start(Job(jid="j", cmd=cmd))
    record = ended(dash, "j")
    assert (record.rc, record.stdout, record.stderr) == (3, b"", b"")


@pytest.mark.parametrize("thing", ["ln -s /dev/zero", "mkfifo", "mkdir"])
def test_a_record_that_is_no_file_is_damaged_and_hides_no_other_job(dash: HostJobs, thing: str) -> None:
    dash.start(Job(jid="good", cmd="true"))
    ended(dash, "good")
    record = dash.start(Job(jid="odd", cmd="true"))
    place = Path(ended(dash, "odd").results_dir)
    (place / "job").unlink()
    subprocess.run(f"{thing} job", shell=True, cwd=place, check=True)
    assert {each.jid: each.cause for each in dash.list()} == {"good": "", "odd": "damaged"}
    assert dash.record(record.jid).cause == "damaged"


def test_a_pid_that_was_taken_anew_is_not_the_job(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600"))
    gate = Path(record.results_dir) / "job"
    jobs.kill("j", grace=0)
    (gate.parent / "result").unlink()
    lines = [
        line if not line.startswith("supervisor ") else f"supervisor {os.getpid()} 1"
        for line in gate.read_text().splitlines()
    ]
    gate.write_text("\n".join(lines) + "\n")
    assert (jobs.record("j").state, jobs.record("j").cause) == (State.LOST, "gone")


@pytest.mark.parametrize("name", ["job", "result"])
def test_a_record_that_is_not_whole_is_never_believed(dash: HostJobs, name: str) -> None:
    dash.start(Job(jid="j", cmd="exit 0"))
    record = ended(dash, "j")
    await_dead(supervisor_of(record))  # it tidies up after the result is there
    path = Path(record.results_dir) / name
    whole = path.read_bytes().split(b"\nend\n")[0] + b"\nend\n"
    for length in range(0, len(whole) - 4, 17):
        path.write_bytes(whole[:length])
        record = dash.record("j")
        assert (record.state, record.cause) == (State.LOST, "damaged"), whole[:length]


def test_a_jid_that_could_be_a_path_is_refused_by_the_host_too(jobs: HostJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remotejobs.jobs.client.check_jid", lambda jid: jid)
    for jid in ("../x", "", ".", "a/b", "-rf", "a b", "x" * 101, "$(id)", "a\nb"):
        with pytest.raises((InvalidJob, ProtocolError)):
            jobs.kill(jid)
        with pytest.raises((InvalidJob, ProtocolError)):
            jobs.record(jid)


def test_a_job_that_is_not_there_is_an_error_that_names_it(jobs: HostJobs) -> None:
    for ask in (jobs.record, jobs.kill):
        with pytest.raises(JobNotFound, match="job nothing: .*/jobs/nothing does not exist"):
            ask("nothing")


def test_garbage_before_the_answer_and_forged_frames_in_the_output_are_not_believed(jobs: HostJobs) -> None:
    jobs.start(
        Job(jid="j", cmd="printf 'remotejobs 1 begin x\\njob j\\nstate succeeded\\nremotejobs end x\\n'; exit 1")
    )
    record = ended(jobs, "j")
    assert (record.state, record.rc) == (State.FAILED, 1)


def test_output_is_read_by_offset_while_the_job_runs_and_nothing_twice(jobs: HostJobs, tmp_path: Path) -> None:
    for name in ("one", "two"):
        os.mkfifo(tmp_path / name)
    jobs.start(Job(jid="j", cmd=f"printf first; echo >'{tmp_path}/one'; cat '{tmp_path}/two'; printf e >&2"))
    (tmp_path / "one").read_text()
    first = jobs.status([Read("j", 0, 0)])[0]
    assert (first.state, first.stdout) == (State.RUNNING, b"first")
    (tmp_path / "two").write_text("second")
    ended(jobs, "j")
    rest = jobs.status([Read("j", 5, 0, 4)])[0]
    assert (rest.stdout_from, rest.stdout, rest.stdout_bytes, rest.stderr) == (5, b"seco", 11, b"e")
    assert jobs.status([Read("j", 99, 0)])[0].stdout == b""


@in_every_shell
def test_many_jobs_are_reported_in_one_answer_and_waiting_ends_with_the_first_that_ends(
    jobs: HostJobs, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    for jid in ("a", "b", "c"):
        jobs.start(Job(jid=jid, cmd="sleep 600" if jid != "b" else f"cat '{tmp_path}/go'"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(jobs.status, [Read(jid) for jid in ("a", "b", "c")], wait=60)
        (tmp_path / "go").write_text("x")
        states = [record.state for record in waiting.result()]
    assert states == [State.RUNNING, State.SUCCEEDED, State.RUNNING]


def test_a_directory_of_another_user_is_refused_and_not_taken_for_an_empty_one(dash: HostJobs, tmp_path: Path) -> None:
    with TemporaryDirectory() as name:
        for mode in (0o700, 0o755):
            Path(name).chmod(0o711)
            place = Path(name) / f"of-root-{mode:o}"
            place.mkdir(mode=mode)
            (place / "jobs").mkdir(mode=0o700)
            there = HostJobs(ShellConnection("/usr/bin:/bin", Path(name), user=65534), directory=str(place / "jobs"))
            for ask in (
                there.list,
                lambda there=there: there.start(Job(jid="j", cmd="true")),
                lambda there=there: there.record("j"),
            ):
                with pytest.raises((DirectoryRefused, StartFailed), match="remotejobs_dir|Permission denied"):
                    ask()


@pytest.mark.timeout(60)
def test_a_wait_for_a_job_that_ends_just_now_is_no_long_one(dash: HostJobs) -> None:
    for number in range(100):
        dash.start(Job(jid=f"j{number}", cmd="true"))
        assert dash.record(f"j{number}", wait=60).state is State.SUCCEEDED


@in_every_shell
def test_a_waiting_reader_wakes_when_the_supervisor_is_killed(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(jobs.record, "j", wait=60)
        kill_supervision(record)
        assert waiting.result().state is State.LOST


def test_an_answer_that_is_no_answer_is_damaged_and_not_a_state(tmp_path: Path) -> None:
    class Garbage(ShellConnection):
        def ask(self, question: Question) -> Reply:
            return Reply(b"Last login\nremotejobs 1 begin 0\nstate succeeded\n", b"", True)

    with pytest.raises(ProtocolError):
        HostJobs(Garbage("", tmp_path)).record("j")


@in_every_shell
def test_a_supervisor_costs_at_most_one_megabyte_of_its_own(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600", timeout=600))
    assert own_memory(supervisor_of(record)) <= 1024
