"""`remotejobs log`: what a job wrote, every byte once; with --follow as it writes."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from remotejobs.agent.request import Read
from remotejobs.cli import exit_codes
from remotejobs.cli.fan_out import side_by_side
from remotejobs.cli.parser import Commands, Parser, add_command, add_jid, add_reach, at_least_one
from remotejobs.cli.show import jobs_run_on, warn, warn_of_errors
from remotejobs.cli.stream import OutputStream, start_of_tail
from remotejobs.cli.target import Target
from remotejobs.display.log_writer import LogWriter
from remotejobs.display.row import row_of
from remotejobs.errors import Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet, HostResult
from remotejobs.jobs.wait import DEFAULT_CONTACT_TIMEOUT, retry_while_unreachable
from remotejobs.model import Record, check_jid
from remotejobs.text import visible

LATENCY = 1.0  # seconds that new output may wait on the host before it is brought


@dataclass(frozen=True, slots=True)
class Chunk:
    """Output of one host, in order."""

    host: str
    content: bytes


LogEvent = Chunk | Unreachable


def add(commands: Commands[Parser]) -> None:
    parser = add_command(commands, "log", execute, reports=False, purpose="print what a job wrote")
    add_jid(parser)
    parser.add_argument("--follow", action="store_true", help="go on until the job has ended")
    parser.add_argument("--tail", metavar="N", type=at_least_one, help="begin with the last N lines (default all)")
    parser.add_argument("--stderr", action="store_true", help="print standard error instead of standard output")
    add_reach(parser)


def execute(args: Namespace) -> int:
    jid, target = check_jid(args.jid), Target.of(args)

    def bring(jobs: HostJobs, report: Callable[[LogEvent], None]) -> Record:
        return copy(jobs, OutputStream(jid, args.stderr), report, follow=args.follow, tail=args.tail)

    with target.fleet() as fleet, jobs_run_on(target, jid):
        writer = LogWriter(list(fleet.hosts), sys.stdout)
        results = _write_all(fleet, writer, bring)
    warn_of_errors(results)
    for result in results if args.follow else ():
        if result.value:
            row = row_of(result)
            warn("  ".join(filter(None, (row.host, row.state, f"rc={row.rc}" if row.rc else "", row.time, row.msg))))
    return exit_codes.of_errors(results)


def copy(
    jobs: HostJobs, stream: OutputStream, report: Callable[[LogEvent], None], *, follow: bool, tail: int | None
) -> Record:
    """Print a stream from its first byte, or its `tail` last lines, to its end as it is now, or to the job's end."""
    at = start_of_tail(jobs, stream, tail) if tail else 0
    record = jobs.status([stream.read(at)])[0]
    until = stream.of(record)[1]
    while True:
        content, total = stream.of(record)
        if content:
            report(Chunk(jobs.host, content))
            at += len(content)
        if at >= total if follow and record.finished else at >= until and not follow:
            return record
        read, wait = stream.read(at), LATENCY if at >= total else 0.0
        record = retry_while_unreachable(
            partial(_ask, jobs, read, wait), contact_timeout=DEFAULT_CONTACT_TIMEOUT, on_unreachable=report
        )


def _ask(jobs: HostJobs, read: Read, wait: float) -> Record:
    return jobs.status([read], wait=wait)[0]


def _write_all(
    fleet: Fleet, writer: LogWriter, work: Callable[[HostJobs, Callable[[LogEvent], None]], Record]
) -> tuple[HostResult[Record], ...]:
    results: dict[str, HostResult[Record]] = {}
    unreachable: set[str] = set()
    with closing(writer):
        for item in side_by_side(fleet, work):
            match item:
                case Chunk(host, content):
                    unreachable.discard(host)
                    writer.write(host, content)
                case Unreachable(host=host) if host not in unreachable:
                    unreachable.add(host)
                    warn(f"{visible(item.message)}; asking again")
                case HostResult(host):
                    results[host] = item
    return tuple(results[name] for name in fleet.hosts)
