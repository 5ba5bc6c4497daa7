"""`remotejobs status`: the state of a job on every host."""

from __future__ import annotations

import sys
from argparse import Namespace

from remotejobs.cli import exit_codes
from remotejobs.cli.parser import Commands, Parser, add_command, add_jid, add_reach
from remotejobs.cli.show import HostResults, command_lines, gather, say, say_remedies, say_table
from remotejobs.cli.target import Target
from remotejobs.display.events import CommandLine
from remotejobs.display.json_lines import json_line
from remotejobs.display.lines import Lines
from remotejobs.display.paint import Paint
from remotejobs.jobs.estimate import Estimator
from remotejobs.model import check_jid


def add(commands: Commands[Parser]) -> None:
    parser = add_command(commands, "status", execute, purpose="show the state of a job")
    add_jid(parser)
    add_reach(parser)


def execute(args: Namespace) -> int:
    jid, target = check_jid(args.jid), Target.of(args)
    with target.fleet() as fleet:
        results = gather(fleet, lambda jobs: Estimator(jobs).of(jobs.record(jid)))
    if args.json:
        for result in results:
            say(json_line(result, jid))
    elif args.verbose:
        _say_all(results, command_lines(target, jid))
    else:
        say_table(results)
        say_remedies(results, target)
    return exit_codes.of_jobs(results)


def _say_all(results: HostResults, command: CommandLine) -> None:
    hosts, paint = [result.host for result in results], Paint.for_stream(sys.stdout)
    lines = Lines(hosts, sys.stdout, paint, command=command, verbose=True)
    for result in results:
        lines.ended(result)
