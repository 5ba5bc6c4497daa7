"""`remotejobs list`: the jobs that are on every host."""

from __future__ import annotations

from argparse import Namespace

from remotejobs.cli import exits
from remotejobs.cli.listing import say_jobs
from remotejobs.cli.parser import Commands, Parser, add_command, add_reach
from remotejobs.cli.show import gather, warn
from remotejobs.cli.target import Target


def add(commands: Commands[Parser]) -> None:
    add_reach(add_command(commands, "list", execute, purpose="list the jobs on every host, newest first"))


def execute(args: Namespace) -> int:
    with Target.of(args).fleet() as fleet:
        outcomes = gather(fleet, lambda jobs: jobs.list())
    code = exits.of_errors(outcomes)
    if say_jobs(outcomes, json=args.json, verbose=args.verbose) == 0 and code == exits.OK:
        warn("no jobs there")
    return code
