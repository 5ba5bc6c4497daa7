"""`remotejobs wait`: wait until a job has ended on every host."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from remotejobs.cli import exits
from remotejobs.cli.parser import Commands, Parser, add_command, add_jid, add_poll, add_reach
from remotejobs.cli.show import follow, jobs_run_on, say_summary, view_of, wait_and_tell
from remotejobs.cli.target import Target
from remotejobs.display.events import Event, Looked
from remotejobs.errors import BadUse
from remotejobs.jobs import HostJobs
from remotejobs.model import Record, check_jid


def add(commands: Commands[Parser]) -> None:
    parser = add_command(commands, "wait", execute, purpose="wait until a job has ended on every host")
    add_jid(parser)
    add_poll(parser)
    add_reach(parser)


def execute(args: Namespace) -> int:
    jid, target = check_jid(args.jid), Target.of(args)
    if args.poll == 0:
        raise BadUse("wait with -P 0 would not wait", remedy="Use status for one look, or at least -P 1.")
    with target.fleet() as fleet:
        view = view_of(fleet, target, jid, json=args.json, verbose=args.verbose)
        with jobs_run_on(target, jid):
            outcomes = follow(fleet, view, lambda jobs, tell: _wait(jobs, jid, args.poll, view.first_look, tell))
    if not args.json:
        say_summary(outcomes)
    return exits.of_jobs(outcomes)


def _wait(jobs: HostJobs, jid: str, poll: float, first_look: float | None, tell: Callable[[Event], None]) -> Record:
    """A first look that is not patient: a host that cannot be reached at all is told at once."""
    record = jobs.look(jid)
    if record.finished:
        return record
    tell(Looked(record))
    return wait_and_tell(jobs, jid, poll, first_look, tell)
