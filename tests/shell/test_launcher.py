"""Where there is no systemd to ask, no job waits for it, and one that needs it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from remotejobs.errors import StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Launcher, State
from tests.shell.shells import ended


@pytest.mark.parametrize("launcher", ["auto", "plain"])
def test_without_systemd_a_job_lives_among_the_processes_of_its_login(jobs: HostJobs, launcher: Launcher) -> None:
    jobs.start(Job(jid="j", cmd="true", launcher=launcher))
    assert ended(jobs, "j").state is State.SUCCEEDED


def test_a_unit_that_cannot_be_is_refused_and_leaves_nothing(jobs: HostJobs, tmp_path: Path) -> None:
    (tmp_path / "bin" / "busctl").write_text("#!/bin/sh\necho 'no answer' >&2\nexit 1\n")
    (tmp_path / "bin" / "busctl").chmod(0o755)
    with pytest.raises(StartFailed, match=r"no unit of systemd .*; or start it with the launcher plain"):
        jobs.start(Job(jid="j", cmd="true", launcher="systemd"))
    assert jobs.list() == ()
