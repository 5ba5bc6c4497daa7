"""`remotejobs list`: the jobs that are on every host."""

from __future__ import annotations

from argparse import Namespace

from remotejobs.cli import exit_codes
from remotejobs.cli.listing import jobs_of, say_jobs
from remotejobs.cli.parser import Commands, Parser, add_command, add_reach
from remotejobs.cli.show import counted, gather, say, say_remedies, warn
from remotejobs.cli.target import Target
from remotejobs.jobs.estimate import with_usual
from remotejobs.text import number_of


def add(commands: Commands[Parser]) -> None:
    add_reach(add_command(commands, "list", execute, purpose="list the jobs on every host, newest first"))


def execute(args: Namespace) -> int:
    target = Target.of(args)
    with target.fleet() as fleet:
        results = gather(fleet, lambda jobs: with_usual(jobs.list()))
    say_jobs(results, json=args.json, verbose=args.verbose)
    code, jobs = exit_codes.of_errors(results), jobs_of(results)
    if jobs and not args.json:
        hosts = number_of(len({job.host for job in jobs}), "host")
        say_remedies(jobs, target)
        say(f"{number_of(len(jobs), 'job')} on {hosts}: {counted(jobs)}")
    elif not jobs and code == exit_codes.OK:
        warn("no jobs there")
    return code
