"""The jobs of many hosts on the whole terminal, with keys to choose one, to see what it wrote, and to kill it."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from remotejobs.cli.fan_out import side_by_side
from remotejobs.cli.live.keyboard import Keyboard
from remotejobs.display.jobs_table import jobs_table
from remotejobs.display.paint import Paint
from remotejobs.errors import RemoteJobsError, Unreachable
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.snapshot import HostSnapshot, Polling, Snapshot, host_snapshot_of
from remotejobs.jobs.summary import name_of, summary
from remotejobs.model import Record
from remotejobs.text import decoded, one_line, visible

GLANCE = 0.25  # seconds between two checks of the news and the keys
LOG_SHARE = 2  # the log gets the lower half of the terminal
LINES_BESIDE = 5  # summary, heads, rule, what was said, keys
KEYS = "up/down choose   l log   k kill   q quit"


@dataclass(frozen=True, slots=True)
class Written:
    """The end of what a job wrote."""

    jid: str
    host: str
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What came of a key."""

    text: str


Answer = Callable[[Record], Written | Notice]


class Screen:
    """Draws and reads keys in one thread; what hosts say comes to it through a queue."""

    def __init__(self, fleet: Fleet, snapshot: Snapshot, *, poll: float) -> None:
        self._fleet = fleet
        self._snapshot = snapshot
        self._poll = poll
        self._paint = Paint.for_stream(sys.stdout)
        self._news: queue.SimpleQueue[HostSnapshot | Written | Notice] = queue.SimpleQueue()
        self._work = ThreadPoolExecutor(max_workers=4, thread_name_prefix="key")
        self._chosen: Record | None = None
        self._log_of: Record | None = None
        self._log = ""
        self._log_at = 0.0
        self._doomed: Record | None = None
        self._said = ""

    def show(self, polling: Polling, is_over: Callable[[], bool]) -> None:
        """Until `q` is pressed, or `is_over`."""
        threading.Thread(target=self._listen, args=(polling,), name="hosts", daemon=True).start()
        colours = self._paint.coloured
        console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, no_color=not colours)
        with Keyboard(sys.stdin) as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
            while not is_over():
                live.update(self._drawn(console.height), refresh=True)
                keys = keyboard.keys(GLANCE)
                if "q" in keys:
                    break
                for key in keys:
                    self._press(key)
                self._hear()
        console.print(Text(summary(self._snapshot.records)), soft_wrap=True)

    def _listen(self, polling: Polling) -> None:
        for item in side_by_side(self._fleet, polling):
            self._news.put(host_snapshot_of(item))

    def _hear(self) -> None:
        while not self._news.empty():
            match self._news.get():
                case HostSnapshot() as seen:
                    self._snapshot.take(seen)
                case Written(jid, host, text) if self._log_of and (jid, host) == (self._log_of.jid, self._log_of.host):
                    self._log = text
                case Notice(text):
                    self._said = text
        if self._log_of and time.monotonic() - self._log_at > self._poll:
            self._read_log(self._log_of)

    def _press(self, key: str) -> None:
        records = self._snapshot.records
        if self._doomed:
            if key == "y":
                self._ask(self._doomed, self._kill)
            self._said, self._doomed = ("ending it …" if key == "y" else "left alone"), None
            return
        if not records:
            return
        at = self._index(records)
        match key:
            case "up" | "down":
                self._chosen = records[max(0, min(len(records) - 1, at + (1 if key == "down" else -1)))]
            case "l":
                self._log_of, self._log = (None if self._log_of else records[at]), ""
                if self._log_of:
                    self._read_log(self._log_of)
            case "k":
                self._doomed = self._chosen = records[at]

    def _index(self, records: list[Record]) -> int:
        """Where the chosen job stands by now; the first one until one is chosen."""
        wanted = (self._chosen.host, self._chosen.jid) if self._chosen else None
        return next((at for at, record in enumerate(records) if (record.host, record.jid) == wanted), 0)

    def _read_log(self, job: Record) -> None:
        self._log_at = time.monotonic()
        self._ask(job, self._tail)

    def _ask(self, job: Record, question: Answer) -> None:
        def answer() -> None:
            try:
                self._news.put(question(job))
            except RemoteJobsError as exc:
                self._news.put(Notice(one_line(str(exc))))

        self._work.submit(answer)

    def _tail(self, job: Record) -> Written:
        record = self._fleet.jobs(job.host).record(job.jid)
        text = decoded(record.stdout) + decoded(record.stderr)
        return Written(job.jid, job.host, visible(text).rstrip("\n"))

    def _kill(self, job: Record) -> Notice:
        record = self._fleet.jobs(job.host).kill(job.jid)
        return Notice(one_line(f"{name_of(job)} on {job.host}: {record.state}. {record.msg}"))

    def _drawn(self, height: int) -> Group:
        records = self._snapshot.records
        log_room = height // LOG_SHARE if self._log_of else 0
        room = max(1, height - LINES_BESIDE - log_room)
        at = self._index(records)
        lines = [Text(summary(records), style="bold", no_wrap=True, overflow="ellipsis")]
        if unreachable := self._snapshot.unreachable:
            lines[0].append("   " + "; ".join(_not_asked(unreachable)), style="yellow")
        below = [Text(self._asking() or self._said, no_wrap=True, overflow="ellipsis"), Text(KEYS, style="dim")]
        return Group(*lines, jobs_table(records, at, room, self._paint), *self._log_lines(log_room), *below)

    def _asking(self) -> str:
        return f"Kill {name_of(self._doomed)} on {one_line(self._doomed.host)}? y/n" if self._doomed else ""

    def _log_lines(self, room: int) -> list[Text]:
        if not self._log_of:
            return []
        head = Text(f"{name_of(self._log_of)} on {one_line(self._log_of.host)} wrote:", style="bold")
        last = (self._log or "nothing yet").split("\n")[-max(1, room - 1) :]
        return [head, *(Text(line, no_wrap=True, overflow="ellipsis") for line in last)]


def _not_asked(errors: Mapping[str, RemoteJobsError]) -> list[str]:
    """`no contact: db1, db2`, and of every host that said no, or that cannot be asked at all, why."""
    unreachable = [host for host, error in errors.items() if isinstance(error, Unreachable) and error.transient]
    others = [one_line(error.message) for host, error in errors.items() if host not in unreachable]
    return [*([f"no contact: {', '.join(map(one_line, unreachable))}"] if unreachable else []), *others]
