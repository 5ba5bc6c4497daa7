"""`remotejobs run`: start one command on many hosts, detached, and wait for its end if wanted."""

from __future__ import annotations

from argparse import Namespace
from typing import get_args

from remotejobs.cli import exit_codes
from remotejobs.cli.fan_out import started
from remotejobs.cli.parser import (
    Commands,
    Parser,
    accept_old,
    add_command,
    add_poll,
    add_reach,
    add_results,
    at_least_one,
    setting,
    timeout,
)
from remotejobs.cli.show import HostResults, follow, jobs_run_on, say, say_summary, view_of
from remotejobs.cli.target import Target
from remotejobs.cli.tree import kept_in
from remotejobs.errors import ConnectionLost, ProtocolError, TimedOut, UsageError
from remotejobs.jobs.naming import label_of, new_jid
from remotejobs.model import Job, Launcher
from remotejobs.text import number_of, one_line

USAGE = "remotejobs run PATTERN [-i FILE] [options] -- COMMAND"
UNCERTAIN = (ConnectionLost, TimedOut, ProtocolError)  # after these a start may have reached its host


def add(commands: Commands[Parser]) -> None:
    parser = add_command(
        commands, "run", execute, usage=USAGE, purpose="start a command on every host, detached, and wait"
    )
    parser.epilog = (
        "The words after -- are one shell command line, as they stand:\n  remotejobs run 'db*' -- 'df -h | tail -1'"
    )
    parser.add_argument(
        "-B",
        "--background",
        metavar="SECONDS",
        type=timeout,
        help="timeout: end it on the host after so long (default never)",
    )
    idle = parser.add_argument(
        "--idle-timeout",
        metavar="SECONDS",
        type=timeout,
        help="end it when it wrote nothing for so long (default never)",
    )
    accept_old(parser, "--stall", idle)
    parser.add_argument(
        "--lock", metavar="NAME", action="append", default=[], help="queue on the host while a job has it; repeatable"
    )
    parser.add_argument(
        "--slots", metavar="N", type=at_least_one, help="queue on the host while N jobs of its pool run"
    )
    parser.add_argument("--pool", metavar="NAME", default="", help="the pool that --slots counts (default that of all)")
    queue = parser.add_argument(
        "--queue-timeout",
        metavar="SECONDS",
        type=timeout,
        help="end it, never started, when it was queued so long (default never)",
    )
    accept_old(parser, "--queue-limit", queue)
    parser.add_argument(
        "--launcher",
        choices=get_args(Launcher),
        default="auto",
        help="systemd: in a unit of its own, which no logout ends; auto: where logind would end it (default); "
        "pidns: in a pid namespace, which ends with the command (root)",
    )
    add_poll(parser, zero="; 0 starts the job, prints how to find it, and returns")
    add_reach(parser)
    add_results(parser)
    parser.add_argument("--jid", metavar="JID", default="", help="the job's id; starting the same again attaches to it")
    parser.add_argument(
        "--label", metavar="TEXT", default="", help="what it is, for people (default the command's beginning)"
    )
    parser.add_argument("--chdir", metavar="DIR", default="", help="directory on the host to run in (default the home)")
    parser.add_argument(
        "--env", metavar="NAME=VALUE", type=setting, action="append", default=[], help="may be repeated"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would run where; no host is asked")


def job_of(args: Namespace) -> Job:
    """The job that the command line describes; `UsageError` without a command, `InvalidJob` where it cannot be."""
    if not args.words:
        raise UsageError("there is no command to run", remedy=f"Write it after --: {USAGE}")
    cmd = " ".join(args.words)
    return Job(
        jid=args.jid or new_jid(),
        cmd=cmd,
        label=args.label or label_of(cmd),
        timeout=args.background,
        idle_timeout=args.idle_timeout,
        chdir=args.chdir,
        env=dict(args.env),
        locks=tuple(args.lock),
        slots=args.slots,
        pool=args.pool,
        queue_timeout=args.queue_timeout,
        launcher=args.launcher,
    )


def execute(args: Namespace) -> int:
    if args.fold and args.json:
        args.parser.error("--fold is for people and --json for programs: give one of them")
    job, target = job_of(args), Target.of(args)
    if args.dry_run:
        from remotejobs.cli.dry_run import say_what_would_run  # a real run need not wait for it

        say_what_would_run(job, target, as_json=args.json)
        return exit_codes.OK
    with target.fleet() as fleet:
        if not args.json:
            say(f"{job.jid} on {number_of(len(fleet.hosts), 'host')}: {one_line(job.cmd)}")
        view = view_of(fleet, target, job.jid, json=args.json, verbose=args.verbose, fold=args.fold)
        view = kept_in(args.tree, view, job.jid)
        with jobs_run_on(target, job.jid):
            items = started(fleet, job.jid, lambda _host: job, args.poll, view.first_poll)
            results = follow(fleet, view, items, unknown="Whether it was started there is not known")
    if not args.json and args.poll == 0:
        _say_where(results, target.commands(job.jid))
    elif not args.json:
        say_summary(results, table=not args.fold)
    return exit_codes.of_jobs(results)


def _say_where(results: HostResults, commands: str) -> None:
    """How to find the job again, unless it is known that no host took it."""
    if any(result.value for result in results):
        say(f"Find it again with:\n{commands}")
    elif any(isinstance(result.error, UNCERTAIN) for result in results):
        say(f"Whether it was started is not known. Check with:\n{commands}")
