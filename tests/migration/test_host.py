"""What a migration asks a host: room, and proof that nothing of its jobs is left. Real processes, no SSH."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.job_files import bearers_of, kill_supervision
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record, State
from remotejobs.operations.migration import Commands, MigrationStep
from remotejobs.operations.migration.host import CheckFailed, MigrationHost
from tests.shell.shells import SHELLS, ShellConnection, await_output, ended, host_jobs, shell_path

LEFT_BEHIND = (
    "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo ready; while :; do sleep 300; done' & read -r _ <go; exit 1"
)


class ShellHost:
    def __init__(self, tmp_path: Path, shell: str, jobs: HostJobs) -> None:
        home = tmp_path / "home with 'quotes'"
        self.jobs = jobs
        self.home = home
        connection = ShellConnection(shell_path(tmp_path / "bin2", shell), home)
        self.migration = MigrationHost(Shell(connection), directory=f"{home}/jobs")

    def leave_behind(self, jid: str) -> Record:
        """A job that failed and left a process that heeds no TERM, in a session of its own."""
        os.mkfifo(self.home / "go")
        self.jobs.start(Job(jid=jid, cmd=LEFT_BEHIND, chdir=str(self.home)))
        await_output(self.jobs, jid)
        (self.home / "go").write_text("\n")
        record = ended(self.jobs, jid)
        assert record.state is State.FAILED
        assert bearers_of(record)
        return record


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ShellHost]:
    for jobs in host_jobs(tmp_path, shell_path(tmp_path / "bin", request.param)):
        yield ShellHost(tmp_path, request.param, jobs)


@pytest.fixture
def dash(tmp_path: Path) -> Iterator[ShellHost]:
    for jobs in host_jobs(tmp_path, shell_path(tmp_path / "bin", "dash")):
        yield ShellHost(tmp_path, "dash", jobs)


def test_a_check_reports_the_free_space_and_the_holder_of_the_lock(host: ShellHost) -> None:
    ready = host.migration.check()
    status = os.statvfs(host.home)
    assert ready.holder is None
    assert abs(ready.free_mib - status.f_bavail * status.f_frsize // 2**20) < 1024
    assert not (host.home / "jobs").exists(), "a check changes nothing"
    taken = host.migration.lock.take("run-1", label="one")
    assert host.migration.check("/").holder == taken


def test_a_path_that_is_not_there_is_named(dash: ShellHost) -> None:
    with pytest.raises(CheckFailed, match="/nowhere does not exist there"):
        dash.migration.check("/nowhere")


def test_a_command_that_cannot_work_is_found_out_without_running_any(host: ShellHost) -> None:
    (host.home / "tool").write_text("#!/bin/sh\n")
    (host.home / "up.sql").write_text("")
    wrong = host.migration.wrong_commands(
        Commands(
            migrate="touch ran; if then",
            verify="no-such-command-here --all",
            rollback="./tool undo",
            verify_rollback="sh missing.sh",
        )
    )
    syntax = wrong.pop(MigrationStep.MIGRATE)
    assert syntax.startswith("the shell there does not understand it: ")
    assert wrong == {
        MigrationStep.VERIFY: "there is no command no-such-command-here there",
        MigrationStep.ROLLBACK: "./tool may not be executed there",
        MigrationStep.VERIFY_ROLLBACK: "there is no file missing.sh that may be read there",
    }
    assert not (host.home / "ran").exists()
    (host.home / "tool").chmod(0o755)
    fine = Commands(
        migrate="set -e\nX=1 ~/tool && cd nowhere",
        prepare_rollback="echo 'two\nlines' && true",
        rollback="sh made-by-prepare.sh",
        verify="[ -e up.sql ]",
    )
    assert host.migration.wrong_commands(fine) == {}


def test_commands_are_looked_at_where_they_will_run_and_what_before_brings_is_not_asked_for(dash: ShellHost) -> None:
    (dash.home / "app").mkdir()
    (dash.home / "app" / "up.sh").write_text("")
    runs = Commands(migrate="sh up.sh", chdir=f"{dash.home}/app")
    assert dash.migration.wrong_commands(runs) == {}
    (elsewhere,) = dash.migration.wrong_commands(runs.model_copy(update={"chdir": "/nowhere"})).values()
    assert elsewhere == "there is no directory /nowhere that may be entered there"
    brought = Commands(migrate="./fetched up", before="no-such-fetch", chdir=str(dash.home))
    assert dash.migration.wrong_commands(brought) == {MigrationStep.BEFORE: "there is no command no-such-fetch there"}


def test_what_a_failed_job_left_behind_is_ended_with_proof(host: ShellHost) -> None:
    record = host.leave_behind("migrate")
    assert host.migration.prove_dead(["migrate", "never-started"], grace=0) == ""
    assert bearers_of(record) == []


def test_what_a_job_left_running_is_named_and_not_ended(host: ShellHost) -> None:
    record = host.leave_behind("migrate")
    left = host.migration.left_running(["migrate", "never-started"])
    assert left.startswith("migrate: ")
    assert bearers_of(record)
    host.migration.prove_dead(["migrate"], grace=0)
    assert host.migration.left_running(["migrate"]) == ""


def test_a_running_job_is_no_proof_and_is_left_alone(dash: ShellHost) -> None:
    dash.jobs.start(Job(jid="migrate", cmd="sleep 300"))
    assert "still running" in dash.migration.prove_dead(["migrate"], grace=0)
    assert dash.jobs.record("migrate").state is State.RUNNING


def test_a_job_whose_supervisor_is_gone_is_ended_too(dash: ShellHost) -> None:
    record = dash.jobs.start(Job(jid="migrate", cmd="sleep 300"))
    kill_supervision(record)
    assert ended(dash.jobs, "migrate").state is State.LOST
    assert dash.migration.prove_dead(["migrate"], grace=0) == ""
    assert bearers_of(record) == []


def test_a_damaged_record_proves_nothing(dash: ShellHost) -> None:
    dash.jobs.start(Job(jid="migrate", cmd="true"))
    job = Path(ended(dash.jobs, "migrate").results_dir) / "job"
    job.write_text("remotejobs 1\n")
    assert dash.migration.prove_dead(["migrate"], grace=0) == "migrate: unknown (the record is damaged)"
