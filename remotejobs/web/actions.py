"""What a person may do from the page, where `--allow-actions` was given: end a job, run one again where it failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from remotejobs.display.row import message_of, row_of
from remotejobs.errors import HostRefused, RemoteJobsError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import HostResult
from remotejobs.jobs.naming import new_jid
from remotejobs.model import Job, Record, State, check_jid
from remotejobs.web.live_fleet import LiveFleet, is_bad


class NotRunAgain(HostRefused):
    """Start it again where it was started: by its run in Prefect, or with `remotejobs run`."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an action on one host, in words."""

    host: str
    ok: bool
    text: str


class Actions:
    """Every method waits for the hosts, and is called in threads."""

    def __init__(self, live: LiveFleet, pool: Executor) -> None:
        self._live = live
        self._pool = pool

    def kill(self, host: str, jid: str) -> list[Done]:
        """End a job with all its processes; the text says how that was proven."""
        return self._each([host], lambda jobs: jobs.kill(check_jid(jid)))

    def again(self, jid: str, hosts: Sequence[str], timeout: int | None) -> list[Done]:
        """Run the command of a job again, under one new jid, where it did not succeed.

        A host reports a job's command, but not its environment, directory or interpreter: a job that had any of them is
        not run again. Nor does it report time limits, locks and slots: `timeout` sets a new time limit.
        """
        new = new_jid()
        return self._each(hosts, lambda jobs: _again(jobs, check_jid(jid), new, timeout))

    def _each(self, hosts: Sequence[str], work: Callable[[HostJobs], Record]) -> list[Done]:
        def one(host: str) -> Done:
            try:
                record = work(self._live.fleet.jobs(host))
            except RemoteJobsError as exc:
                return Done(host, ok=False, text=f"{message_of(host, exc)}. {exc.remedy}")
            self._live.refresh(host)
            row = row_of(HostResult(host, value=record))
            return Done(host, ok=not record.survivors, text=" ".join(filter(None, (row.state, row.msg))))

        return list(self._pool.map(one, hosts))


def can_run_again(record: Record) -> bool:
    """Whether it did not succeed and nothing of it is left. What is lost is not: of its settings nothing is known."""
    return is_bad(record) and record.state is not State.LOST and not record.still_runs and not record.survivors


def _again(jobs: HostJobs, jid: str, new: str, timeout: int | None) -> Record:
    before = jobs.record(jid)
    if not can_run_again(before):  # the next start would even run a job that is lost because it never ran
        raise NotRunAgain(jobs.host, f"job {jid} is {before.state}; only what failed, and left nothing, is run again")
    # A start under the same jid attaches, where all is the same that it would run with; otherwise it is `JobExists`.
    # Where the job was cleaned away meanwhile, this start is the one that was asked for.
    same = jobs.start(Job(jid=jid, cmd=before.cmd, label=before.label, timeout=timeout))
    return same if not same.attached else jobs.start(Job(jid=new, cmd=before.cmd, label=before.label, timeout=timeout))
