"""Jobs that stand in line on a host, and what the host keeps of the line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lab.job_files import fields_of
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record, State
from tests.awaiting import await_true


def held(tmp_path: Path, jid: str, **wants: Any) -> Job:
    """A job that says when it began, and ends when `let_go` is called."""
    go = tmp_path / f"go-{jid}"
    os.mkfifo(go)
    return Job(jid=jid, cmd=f"echo {jid} >>'{tmp_path}/started'; read -r _ <'{go}'", **wants)


def let_go(tmp_path: Path, jid: str) -> None:
    (tmp_path / f"go-{jid}").write_text("\n")


def waits(record: Record) -> int:
    return int(fields_of(record.results_dir, "queued")["supervisor"].split()[0])


def await_state(jobs: HostJobs, jid: str, state: State) -> Record:
    await_true(lambda: jobs.record(jid).state is state)
    return jobs.record(jid)


def tickets(record: Record) -> list[str]:
    return sorted(path.name for path in (Path(record.results_dir).parent / ".queue").glob("*/*"))
