"""What `remotejobs lock` shows and does on each host."""

from __future__ import annotations

import getpass
import json
import socket
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from remotejobs.cli import exit_codes
from remotejobs.cli.backups import shell_on
from remotejobs.cli.show import gather, say, warn_of_errors
from remotejobs.cli.target import Target
from remotejobs.display.paint import Paint
from remotejobs.display.table import table
from remotejobs.errors import HostRefused, UsageError
from remotejobs.inventory.variables import text
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet, HostResult
from remotejobs.jobs.locks import HostLock
from remotejobs.operations.migration.holder import run_state, running_jobs
from remotejobs.operations.migration.host import LOCK

HEADS = ("host", "lock", "since", "its run", "its jobs")


class StillRuns(HostRefused):
    """Cancel the run, or wait for its end. With --force the lock is released all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStatus:
    """The lock of one host: its holder ("" where it is free), and what is known of the holder's run and jobs."""

    host: str
    holder: str = ""
    owner: str = ""
    since: str = ""
    run: str = ""
    jobs: tuple[str, ...] = ()
    released: bool = False
    would_be_released: bool = False


def status(args: Namespace) -> int:
    with Target.of(args).fleet() as fleet:
        results = gather(fleet, lambda jobs: _found(fleet, jobs)[0])
    return _say(results, args)


def release(args: Namespace) -> int:
    if not args.reason.strip():
        raise UsageError("--reason is empty", remedy="Say in a few words why the lock may go.")
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    with Target.of(args).fleet() as fleet:
        results = gather(fleet, lambda jobs: _release(fleet, jobs, by, args))
    code = _say(results, args)
    if args.dry_run and not args.json:
        say("Nothing was released.")
    return code


def _found(fleet: Fleet, jobs: HostJobs) -> tuple[LockStatus, bool, HostLock]:
    """How the lock stands, and whether something of its holder still goes on."""
    host = jobs.host
    lock = HostLock(shell_on(fleet, host), LOCK, directory=text(fleet.hosts[host], "remotejobs_dir"))
    holder = lock.holder()
    if holder is None:
        return LockStatus(host=host), False, lock
    run, running = run_state(holder.owner), running_jobs(jobs.list(), holder)
    found = LockStatus(
        host=host, holder=holder.label, owner=holder.owner, since=holder.since, run=run.words, jobs=running
    )
    return found, bool(running) or run.goes_on is True, lock


def _release(fleet: Fleet, jobs: HostJobs, by: str, args: Namespace) -> LockStatus:
    found, goes_on, lock = _found(fleet, jobs)
    if not found.since:
        return found
    if goes_on and not args.force:
        still = f"its jobs {', '.join(found.jobs)} run there" if found.jobs else f"its run is {found.run}"
        raise StillRuns(jobs.host, f"the lock of {found.holder} ({found.owner}) is not released: {still}")
    if args.dry_run:
        return replace(found, would_be_released=True)
    lock.break_lock(found.owner, by=by, reason=args.reason)
    return replace(found, released=True)


def _say(results: Sequence[HostResult[LockStatus]], args: Namespace) -> int:
    if args.json:
        for one in results:
            say(json.dumps(asdict(one.value) if one.value else {"host": one.host, "error": str(one.error)}))
        return exit_codes.of_errors(results)
    if rows := [_row(one.value) for one in results if one.value]:
        for line in table(HEADS, rows, Paint.for_stream(sys.stdout)):
            say(line)
    warn_of_errors(results)
    return exit_codes.of_errors(results)


def _row(found: LockStatus) -> tuple[str, ...]:
    if not found.since:
        return (found.host, "free", "", "", "")
    whose = f"{found.holder} ({found.owner})"
    done = "released: " if found.released else "would be released: " if found.would_be_released else ""
    return (found.host, f"{done}{whose}", found.since, found.run, _jobs(found))


def _jobs(found: LockStatus) -> str:
    return f"{', '.join(found.jobs)} running" if found.jobs else "none running"
