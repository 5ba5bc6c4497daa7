"""One line for each host as it changes: what a pipe, a log file and a dumb terminal get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from remotejobs.display.events import CommandLine, Event, HostUnreachable, JobRunning, JobStarted
from remotejobs.display.output import stream_lines
from remotejobs.display.paint import Paint
from remotejobs.display.row import message_of, row_of
from remotejobs.display.width import padded, width
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record, State
from remotejobs.text import duration, indented, one_line

STATE_WIDTH = len("unreachable")


class Lines:
    """Prints to `stream`. With `output`, what a job wrote is shown when it ends; with `verbose`, all that is known.

    `command` makes the command lines that are offered for what is left to do.
    """

    first_poll: float | None = None

    def __init__(
        self,
        hosts: Sequence[str],
        stream: TextIO,
        paint: Paint,
        *,
        command: CommandLine,
        output: bool = True,
        verbose: bool = False,
    ) -> None:
        self._stream = stream
        self._paint = paint
        self._command = command
        self._output = output
        self._verbose = verbose
        self._host_width = max(width(one_line(host)) for host in hosts)
        self._started: set[str] = set()
        self._unreachable: set[str] = set()
        self._queued: set[str] = set()

    def show(self, event: Event) -> None:
        match event:
            case JobStarted(record):
                self._started.add(record.host)
                self._show_start(record)
            case JobRunning(record) if record.host in self._unreachable:
                self._unreachable.discard(record.host)
                self._say(record.host, record.state, duration(record.delta), "in contact again")
            case JobRunning(record) if record.state is State.RUNNING and record.host in self._queued:
                self._queued.discard(record.host)
                self._say(record.host, "started", f"pid {record.pid}")
            case HostUnreachable(host, error) if host not in self._unreachable:
                self._unreachable.add(host)
                self._say(host, "no contact", message_of(host, error), "(asking again; the job may run on)")

    def ended(self, result: HostResult[Record]) -> None:
        if result.host in self._started and result.value and not result.value.finished:
            return  # started and left alone: that line stands already
        row = row_of(result)
        self._say(result.host, row.state, f"rc={row.rc}" if row.rc else "", row.time, row.msg)
        if result.error:
            self._print(indented(result.error.remedy))
        if result.value is not None and result.value.still_runs:
            self._print(indented(f"End it: {self._command('kill', result.host)}"))
        if result.value is not None and self._output:
            self._show_output(result.value)
        if result.value is not None and self._verbose:
            self._print(self._paint.faint(indented(f"in {result.value.results_dir}")))

    def close(self) -> None:
        self._stream.flush()

    def _show_start(self, record: Record) -> None:
        if record.state is State.QUEUED:
            self._queued.add(record.host)
            self._say(record.host, record.state, record.msg)
        elif not record.attached:
            self._say(record.host, "started", f"pid {record.pid}" if record.pid else "")
        elif record.finished:
            self._say(record.host, "attached", "it has ended already")
        else:
            self._say(record.host, "attached", f"running for {duration(record.delta)}")

    def _show_output(self, record: Record) -> None:
        """All of it that came when the job succeeded, the last lines of each stream when it ended otherwise."""
        whole = self._verbose or record.state is State.SUCCEEDED
        if whole or record.finished:
            for name in ("stdout", "stderr"):
                for line in stream_lines(record, name, paint=self._paint, command=self._command, whole=whole):
                    self._print(line)
        if record.processes:
            self._print(self._paint.faint("  what ran when it was ended:"))
            self._print(indented(record.processes))

    def _say(self, host: str, state: str, *words: str) -> None:
        head = f"{padded(one_line(host), self._host_width)}  {self._paint.state(state, STATE_WIDTH)}"
        self._print("  ".join([head, *(one_line(word) for word in words if word)]).rstrip())

    def _print(self, text: str) -> None:
        """`text` is fit to be shown: it holds no control character but newlines, tabs and our own colours."""
        self._stream.write(text + "\n")
        self._stream.flush()
