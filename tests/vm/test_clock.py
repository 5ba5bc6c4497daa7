"""The machine's own clock is set while jobs run: neither limits nor lengths feel it, and every state is true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State

pytestmark = pytest.mark.faults

TWO_HOURS = timedelta(hours=2)
LIMIT = 20
LONG = 3600  # a job ends long before it, and the jump goes beyond it


@contextmanager
def jumped(shell: Shell, by: timedelta) -> Iterator[None]:
    """The clock is wrong by so much, and right again afterwards."""
    try:
        set_clock(shell, by)
        yield
    finally:
        set_clock(shell, -by)


def set_clock(shell: Shell, by: timedelta) -> None:
    before, after = map(
        int, shell.run(f'date +%s; date -s "@$(($(date +%s) + {by.total_seconds():.0f}))" +%s').output.split()
    )
    assert abs(after - before - by.total_seconds()) < 60


@pytest.mark.parametrize("by", [TWO_HOURS, -TWO_HOURS], ids=["forward", "back"])
def test_a_clock_that_is_set_ends_no_job_early_and_lets_none_live_longer(
    jobs: HostJobs, shell: Shell, by: timedelta
) -> None:
    name = "forward" if by > timedelta() else "back"
    waiting = Job(jid=f"waits-{name}", cmd=f"until [ -e /run/{name} ]; do sleep 0.2; done; echo through", timeout=LONG)
    endless = Job(jid=f"endless-{name}", cmd="sleep 3600", timeout=LIMIT)
    began = {job.jid: jobs.start(job).start for job in (waiting, endless)}
    with jumped(shell, by):
        seen = jobs.record(waiting.jid)
        assert (seen.state, seen.start) == (State.RUNNING, began[waiting.jid])
        ended = jobs.record(endless.jid, wait=300)
        assert (ended.state, ended.survivors) == (State.TIMED_OUT, "")
        assert ended.delta and LIMIT <= ended.delta < LONG
        assert shell.run(f"touch /run/{name}").rc == 0
        through = jobs.record(waiting.jid, wait=300)
    for job, record in ((endless, ended), (waiting, through)):
        assert record.delta and 0 < record.delta < LONG, "as long as it took, whatever the clock says"
        assert record.start == began[job.jid]
        # Its end is what the clock said then; a file that is written meanwhile says the same.
        apart = datetime.fromisoformat(record.end) - datetime.fromisoformat(record.start)
        assert abs(apart - by - timedelta(seconds=record.delta)) < timedelta(minutes=5)
    assert (through.state, through.rc, through.stdout) == (State.SUCCEEDED, 0, b"through\n")
    assert jobs.record(waiting.jid) == through, "and so it stays when the clock is right again"
