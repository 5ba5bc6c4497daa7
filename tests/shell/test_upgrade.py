"""The part on the host of an upgrade, and the report that it ends with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from remotejobs.agent.shell import text_of
from remotejobs.errors import ProtocolError
from remotejobs.jobs.client import HostJobs
from remotejobs.model import TAIL_BYTES, Job
from remotejobs.operations.upgrade import changes_of
from tests.shell.shells import ended

REPORT = "echo noise; echo 'remotejobs-upgrade 1'; {lines}; echo end"


def outcome(calls: str, **env: str) -> int:
    """The exit code of the agent with these calls below it."""
    text = f"LOCK_TIMEOUT=1 MANAGER=apt DIST=yes\n{text_of('remotejobs.operations.upgrade', 'upgrade.sh')}\n{calls}"
    return subprocess.run(["sh", "-c", text], env={**os.environ, **env}).returncode


def test_a_failure_is_not_reported_for_the_next_command() -> None:
    assert outcome("up_patiently false; up_patiently true") == 0
    assert outcome("up_patiently true; up_patiently false") == 1


def test_lists_that_could_not_be_fetched_fail_the_preparation_and_nothing_is_downloaded(tmp_path: Path) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\n[ "$2" != update ] || exit 100\ntouch {tmp_path}/downloaded\n')
    apt.chmod(0o755)
    assert outcome("up_prepare", PATH=f"{tmp_path}:{os.environ['PATH']}") == 100
    assert not (tmp_path / "downloaded").exists()


def test_a_report_that_is_longer_than_the_end_of_an_output_is_read_whole(dash: HostJobs) -> None:
    count = TAIL_BYTES // 20
    lines = f"i=0; while [ $i -lt {count} ]; do i=$((i + 1)); echo package name$i 1.0-1 2.0-1; done"
    dash.start(Job(jid="long", cmd=REPORT.format(lines=lines)))
    record = ended(dash, "long")
    assert record.stdout_from > 0
    assert [change.package for change in changes_of(record, dash)] == [f"name{n + 1}" for n in range(count)]


@pytest.mark.parametrize("lines", ["echo package without versions", "exit 0", "echo something else"])
def test_a_report_that_is_not_whole_is_not_believed(dash: HostJobs, lines: str) -> None:
    dash.start(Job(jid="odd", cmd=REPORT.format(lines=lines)))
    with pytest.raises(ProtocolError, match="without a whole report"):
        changes_of(ended(dash, "odd"), dash)
