"""Hosts that lack something: space, /proc, or the tools of a full system."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.host.disk import disk, fill_pages
from faults.host.machine import busybox_without
from remotejobs.errors import StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.shell.shells import SHELLS, ended, host_jobs, shell_path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disk(tmp_path / "small", "size=256k") as place:
        yield place


def test_a_full_disk_refuses_the_start_and_leaves_nothing_behind(
    dash: HostJobs, small_disk: Path, tmp_path: Path
) -> None:
    there = HostJobs(dash._connection, directory=str(small_disk / "jobs"))
    there.start(Job(jid="first", cmd="true"))
    ended(there, "first")
    fill_pages(small_disk)
    with pytest.raises(StartFailed, match="No space left|cannot write"):
        there.start(Job(jid="j", cmd="true"))
    assert [record.jid for record in there.list()] == ["first"]


def test_a_disk_that_fills_up_while_the_job_runs_loses_no_result(
    dash: HostJobs, small_disk: Path, tmp_path: Path
) -> None:
    there = HostJobs(dash._connection, directory=str(small_disk / "jobs"))
    os.mkfifo(tmp_path / "go")
    there.start(Job(jid="j", cmd=f"cat '{tmp_path}/go'; exit 4"))
    fill_pages(small_disk)
    (tmp_path / "go").write_text("")
    assert (ended(there, "j").state, ended(there, "j").rc) == (State.FAILED, 4)


def test_without_proc_the_job_still_runs_ends_and_is_killed(tmp_path: Path) -> None:
    for jobs in host_jobs(tmp_path, shell_path(tmp_path / "bin", "dash"), proc="/no-proc"):
        jobs.start(Job(jid="j", cmd="exit 3"))
        assert ended(jobs, "j").rc == 3
        jobs.start(Job(jid="k", cmd="sleep 600 & sleep 600", timeout=1, grace=1))
        assert ended(jobs, "k").state is State.TIMED_OUT


def test_without_setsid_and_with_busybox_tools_alone_the_job_still_works(tmp_path: Path) -> None:
    for jobs in host_jobs(tmp_path, str(busybox_without(tmp_path / "bin", "setsid"))):
        record = jobs.start(Job(jid="j", cmd="echo out; exit 3"))
        assert (ended(jobs, "j").rc, ended(jobs, "j").stdout) == (3, b"out\n")
        record = jobs.start(Job(jid="k", cmd="sleep 600 & sleep 600", timeout=1, grace=1))
        assert ended(jobs, "k").state is State.TIMED_OUT
        assert not Path(f"/proc/{record.pid}").exists()


def test_where_no_process_can_be_seen_nothing_is_started_rather_than_called_lost(tmp_path: Path) -> None:
    blind = tmp_path / "bin" / "ps"
    for jobs in host_jobs(tmp_path, shell_path(tmp_path / "bin", "dash"), proc="/no-proc"):
        blind.write_text("#!/bin/sh\nexit 1\n")
        blind.chmod(0o755)
        with pytest.raises(StartFailed, match="no process can be seen there"):
            jobs.start(Job(jid="j", cmd="true"))
        assert jobs.list() == ()


# How a host comes by its `ps`: none at all, or one that knows neither -p nor -A.
NO_PS = "#!/bin/sh\necho 'ps: not found' >&2\nexit 127\n"
BUSYBOX_PS = '#!/bin/sh\nexec busybox ps "$@"\n'


@pytest.mark.parametrize(
    ("shell", "program"), [*((shell, NO_PS) for shell in SHELLS), ("dash", BUSYBOX_PS)], ids=[*SHELLS, "busybox-ps"]
)
def test_what_ran_when_a_limit_ended_it_is_reported_whatever_ps_is_there(
    tmp_path: Path, shell: str, program: str
) -> None:
    for jobs in host_jobs(tmp_path, shell_path(tmp_path / "bin", shell)):
        ps = tmp_path / "bin" / "ps"
        ps.write_text(program)
        ps.chmod(0o755)
        cmd = "sleep 600 & (exec -a 'odd) 1 name' sleep 601) & wait"
        record = jobs.start(Job(jid="j", cmd=cmd, interpreter="bash", timeout=2, grace=1))
        heading, *lines = ended(jobs, "j").processes.splitlines()
        assert heading.split() == ["PID", "PPID", "STAT", "ELAPSED", "COMMAND"]
        for command in ("sleep 600", "odd) 1 name 601"):
            assert any(re.fullmatch(rf" *\d+ +{record.pid} S +00:0\d {re.escape(command)}", line) for line in lines), (
                lines
            )
