"""Hosts whose jobs ended alike, shown once: `web[1-150,152]`, and below it what each of them wrote."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from remotejobs.display.events import CommandLine, Event
from remotejobs.display.output import stream_lines
from remotejobs.display.paint import Paint, is_terminal
from remotejobs.display.row import message_of, row_of
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record, State
from remotejobs.text import indented, number_of, one_line, visible

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
Result = HostResult[Record]


def folded(names: Iterable[str]) -> str:
    """`web[1-3,07],db`: names that differ in one number together, as ClusterShell and pdsh write and read them."""
    groups: dict[str | tuple[str, str, int], list[int]] = {}
    for name in names:
        if match := _NUMBERED.fullmatch(name):
            before, digits, after = match.groups()
            wide = len(digits) if digits.startswith("0") and len(digits) > 1 else 0  # 07 is another number than 7
            groups.setdefault((before, after, wide), []).append(int(digits))
        else:
            groups.setdefault(name, [])
    return ",".join(key if isinstance(key, str) else _ranged(*key, numbers) for key, numbers in groups.items())


def _ranged(before: str, after: str, wide: int, numbers: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1][1] + 1 == number:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    parts = [f"{a:0{wide}}" if a == b else f"{a:0{wide}}-{b:0{wide}}" for a, b in spans]
    alone = len(spans) == 1 and spans[0][0] == spans[0][1]
    return f"{before}{parts[0]}{after}" if alone else f"{before}[{','.join(parts)}]{after}"


class Folded:
    """Shows nothing of a host before all have ended, but how many have, on a terminal."""

    first_poll: float | None = None

    def __init__(
        self, hosts: Sequence[str], stream: TextIO, paint: Paint, *, command: CommandLine, verbose: bool = False
    ) -> None:
        self._hosts = hosts
        self._stream = stream
        self._paint = paint
        self._command = command
        self._verbose = verbose
        self._ended: dict[str, Result] = {}
        self._counts = is_terminal(sys.stderr)

    def show(self, event: Event) -> None:
        """How it goes on is not shown: of many hosts it would be many lines."""

    def ended(self, result: Result) -> None:
        self._ended[result.host] = result
        if self._counts:
            sys.stderr.write(f"\r{len(self._ended)} of {number_of(len(self._hosts), 'host')} ended")
            sys.stderr.flush()

    def close(self) -> None:
        if self._counts:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        groups: dict[tuple[object, ...], list[Result]] = {}
        for name in self._hosts:
            if result := self._ended.get(name):
                groups.setdefault(_alike(result), []).append(result)
        # What went wrong last: it stands where a person looks when it is over.
        for group in sorted(groups.values(), key=lambda group: (_wrong(group[0]), -len(group))):
            self._show(group)
        self._stream.flush()

    def _show(self, group: Sequence[Result]) -> None:
        first, row = group[0], row_of(group[0])
        names = one_line(folded(result.host for result in group))
        many = f" ({number_of(len(group), 'host')})" if len(group) > 1 else ""
        msg = one_line(_said(first))
        words = [self._paint.strong(names) + many, self._paint.state(row.state), f"rc={row.rc}" if row.rc else "", msg]
        self._print("  ".join(filter(None, words)))
        if first.error and first.error.remedy:
            self._print(indented(_without_host(first.host, first.error.remedy)))
        if first.value:
            whole = self._verbose or first.value.state is State.SUCCEEDED
            for name in ("stdout", "stderr"):
                for line in stream_lines(first.value, name, paint=self._paint, command=self._command, whole=whole):
                    self._print(line)

    def _print(self, text: str) -> None:
        self._stream.write(text + "\n")


def _alike(result: Result) -> tuple[object, ...]:
    """Hosts of which this is the same ended alike."""
    record = result.value
    if record is None:
        return (type(result.error), _said(result))
    return (record.state, record.rc, record.signal, record.cause, _said(result), record.stdout, record.stderr)


def _said(result: Result) -> str:
    """What its row says, without the host's name."""
    if result.value:
        return result.value.msg
    return _without_host(result.host, message_of(result.host, result.error)) if result.error else ""


def _without_host(host: str, text: str) -> str:
    return visible(text).replace(host, "HOST") if len(host) > 2 else visible(text)


def _wrong(result: Result) -> bool:
    return result.value is None or result.value.state is not State.SUCCEEDED
