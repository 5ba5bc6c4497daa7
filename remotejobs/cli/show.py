"""Choosing the view, and driving it to the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from remotejobs.cli.fan_out import side_by_side
from remotejobs.cli.target import Target
from remotejobs.display.events import CommandLine, Event, HostUnreachable, View
from remotejobs.display.json_lines import JsonLines
from remotejobs.display.lines import Lines
from remotejobs.display.paint import Paint, is_terminal
from remotejobs.display.row import row_of, state_of
from remotejobs.display.table import table
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet, HostResult
from remotejobs.model import Record
from remotejobs.text import visible

T = TypeVar("T")
HostResults = tuple[HostResult[Record], ...]
HEADS = ("host", "state", "rc", "time", "msg")


def command_lines(target: Target, jid: str) -> CommandLine:
    """The command lines for a job of `target`, host by host."""

    def command(name: str, host: str, *options: str) -> str:
        return target.on(host).command(name, jid, *options)

    return command


def view_of(
    fleet: Fleet, target: Target, jid: str, *, json: bool, verbose: bool, output: bool = True, fold: bool = False
) -> View:
    """JSON, hosts that ended alike together, a live view on a terminal, or plain lines."""
    if json:
        return JsonLines(jid, sys.stdout)
    names, paint, command = list(fleet.hosts), Paint.for_stream(sys.stdout), command_lines(target, jid)
    if fold:
        from remotejobs.display.fold import Folded  # few command lines want it

        return Folded(names, sys.stdout, paint, command=command, verbose=verbose)
    if not is_terminal(sys.stdout):
        return Lines(names, sys.stdout, paint, command=command, output=output, verbose=verbose)
    from remotejobs.display.live import LiveLines  # rich takes 60 ms to import, which a pipe need not wait for

    return LiveLines(names, sys.stdout, paint, jid=jid, command=command, output=output, verbose=verbose)


def follow(
    fleet: Fleet,
    view: View,
    items: Generator[Event | HostResult[Record]],
    *,
    count: int | None = None,
    unknown: str = "",
) -> HostResults:
    """What comes of every host, seen through `view`; the outcomes in the order of the inventory.

    With `count` only until there are so many records: then the other hosts are still at it, and are left out. Ctrl-C
    before a host has said how it stands leaves `unknown` what the words say: the hosts are named behind them.
    """
    ended: dict[str, HostResult[Record]] = {}
    silent = dict.fromkeys(fleet.hosts)
    try:
        with closing(view), closing(items):
            for item in items:
                # Before it is shown: what can be read of a host is not called unknown.
                if not isinstance(item, HostUnreachable):
                    silent.pop(item.host if isinstance(item, HostResult) else item.record.host, None)
                if isinstance(item, HostResult):
                    ended[item.host] = item
                    view.ended(item)
                    if len(_records(ended.values())) == count:
                        break
                else:
                    view.show(item)
    except KeyboardInterrupt:
        if silent and unknown:
            warn(visible(f"{unknown}: {', '.join(silent)}"))
        raise
    return tuple(ended[name] for name in fleet.hosts if name in ended)


def _records(results: Iterable[HostResult[T]]) -> list[T]:
    return [result.value for result in results if result.value is not None]


def gather(fleet: Fleet, work: Callable[[HostJobs], T]) -> tuple[HostResult[T], ...]:
    """What came of `work` on every host, in the order of the inventory, when all is done."""

    def quietly(jobs: HostJobs, _report: Callable[[Event], None]) -> T:
        return work(jobs)

    results = {item.host: item for item in side_by_side(fleet, quietly, waits=False) if isinstance(item, HostResult)}
    return tuple(results[name] for name in fleet.hosts)


@contextmanager
def jobs_run_on(target: Target, jid: str) -> Iterator[None]:
    """Ctrl-C ends the watching and not the jobs: say so, and how to find them."""
    try:
        yield
    except KeyboardInterrupt:
        warn(f"Interrupted. What was started runs on; find it again with:\n{target.commands(jid)}")
        raise


def say(text: str = "") -> None:
    """One line for people, on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """One line for people that is no result, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_table(results: Iterable[HostResult[Record]]) -> None:
    """One row for each host."""
    rows = [row_of(result) for result in results]
    cells = [(row.host, row.state, row.rc, row.time, row.msg) for row in rows]
    for line in table(HEADS, cells, Paint.for_stream(sys.stdout)):
        say(line)


def counted(results: Iterable[HostResult[Record]]) -> str:
    """How many there are of each state."""
    return ", ".join(f"{number} {state}" for state, number in Counter(map(state_of, results)).items())


def say_remedies(results: Iterable[HostResult[Record]], target: Target) -> None:
    """What to do about the hosts that could not be asked, each remedy once, and about commands that run unwatched."""
    hosts: dict[str, list[str]] = {}
    for result in results:
        if result.error:
            hosts.setdefault(result.error.remedy, []).append(result.host)
        elif result.value and result.value.still_runs:
            say(visible(f"{result.host}: End it: {target.on(result.host).command('kill', result.value.jid)}"))
    for remedy, names in hosts.items():
        say(visible(f"{', '.join(names)}: {remedy}"))


def warn_of_errors(results: Iterable[HostResult[T]]) -> None:
    for result in results:
        if result.error:
            warn(f"error: {visible(str(result.error))}")


def say_summary(results: HostResults, *, table: bool = True) -> None:
    """The table again when all is over; one host needs none, its line stands right above."""
    if len(results) > 1 and not table:
        say(f"{len(results)} hosts: {counted(results)}")
    elif len(results) > 1:
        say()
        say_table(results)
        say(f"{len(results)} hosts: {counted(results)}")
