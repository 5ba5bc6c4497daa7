"""The view on a terminal: lines as things change, and below them what runs at this moment."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from remotejobs.display.events import CommandLine, Event, HostUnreachable, JobRunning, JobStarted
from remotejobs.display.lines import Lines
from remotejobs.display.paint import Paint
from remotejobs.display.row import activity, state_of
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record, State
from remotejobs.text import duration, last_line, one_line

REFRESHES = 4  # per second
MOST_HOSTS = 10


class LiveLines(Lines):
    """`Lines` above a short list of running hosts with the last line that each wrote."""

    first_poll: float | None = 1.0  # a person who has just started it is watching

    def __init__(
        self,
        hosts: Sequence[str],
        stream: TextIO,
        paint: Paint,
        *,
        jid: str,
        command: CommandLine,
        output: bool = True,
        verbose: bool = False,
    ) -> None:
        super().__init__(hosts, stream, paint, command=command, output=output, verbose=verbose)
        self._jid = jid
        self._hosts = tuple(hosts)
        self._began = time.monotonic()
        self._state = dict.fromkeys(self._hosts, "asking")
        self._since: dict[str, float] = {}
        self._last = dict.fromkeys(self._hosts, "")
        console = Console(file=stream, highlight=False, markup=False, emoji=False, no_color=not paint.coloured)
        self._live = Live(self, console=console, refresh_per_second=REFRESHES, transient=True, redirect_stderr=False)
        self._live.start()

    def show(self, event: Event) -> None:
        super().show(event)
        match event:
            case JobStarted(record) | JobRunning(record):
                self._running(record)
            case HostUnreachable(host):
                self._state[host] = "no contact"

    def ended(self, result: HostResult[Record]) -> None:
        self._state[result.host] = state_of(result)
        super().ended(result)

    def close(self) -> None:
        self._live.stop()
        super().close()

    def _running(self, record: Record) -> None:
        self._state[record.host] = record.state.value
        self._since[record.host] = time.monotonic() - (record.delta or 0.0)
        last = last_line(record.stdout) or last_line(record.stderr)
        waits_for = record.msg if record.state is State.QUEUED else ""
        self._last[record.host] = activity(record, last) or waits_for or self._last[record.host]

    def _print(self, text: str) -> None:
        self._live.console.print(Text.from_ansi(text), soft_wrap=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        counts = Counter(self._state.values())
        states = " · ".join(f"{count} {state}" for state, count in counts.items())
        yield Text(
            f"{self._jid}  {states}  {duration(time.monotonic() - self._began)}",
            style="bold",
            no_wrap=True,
            overflow="ellipsis",
        )
        yield from self._open_hosts(max(1, min(MOST_HOSTS, options.size.height - 6)))

    def _open_hosts(self, room: int) -> Iterator[Text]:
        now = time.monotonic()
        open_hosts = [host for host in self._hosts if self._state[host] in ("queued", "running", "no contact")]
        for host in open_hosts[:room]:
            age = duration(now - self._since[host]) if host in self._since else ""
            head = f"  {one_line(host).ljust(self._host_width)}  {age:>7}  "
            text = Text(head, no_wrap=True, overflow="ellipsis")
            text.append("no contact" if self._state[host] == "no contact" else self._last[host], style="dim")
            yield text
        if len(open_hosts) > room:
            yield Text(f"  and {len(open_hosts) - room} more", style="dim")
