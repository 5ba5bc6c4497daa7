"""`remotejobs kill`: end a job on every host, with proof."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from remotejobs.cli import exits
from remotejobs.cli.parser import Commands, Parser, add_command, add_jid, add_reach
from remotejobs.cli.show import follow, say_summary, view_of
from remotejobs.cli.target import Target
from remotejobs.display.events import Event
from remotejobs.jobs import HostJobs
from remotejobs.model import Record, check_jid


def add(commands: Commands[Parser]) -> None:
    parser = add_command(commands, "kill", execute, purpose="end a job and all its processes, and show the proof")
    add_jid(parser)
    add_reach(parser)


def execute(args: Namespace) -> int:
    jid = check_jid(args.jid)

    def kill(jobs: HostJobs, _tell: Callable[[Event], None]) -> Record:
        return jobs.kill(jid)

    with Target.of(args).fleet() as fleet:
        outcomes = follow(fleet, view_of(fleet, jid, json=args.json, verbose=args.verbose, output=False), kill)
    if not args.json:
        say_summary(outcomes)
    return exits.of_kills(outcomes)
