"""All that the page shows, as plain data for JSON: hosts with their jobs, runs, and what needs a person."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from remotejobs.display.row import message_of, row_of
from remotejobs.jobs.fleet import HostResult
from remotejobs.jobs.summary import name_of
from remotejobs.model import Record
from remotejobs.operations.flow_runs import FlowRuns, run_of
from remotejobs.text import one_line, shortened
from remotejobs.web.live_fleet import HostSeen, LiveFleet, is_bad
from remotejobs.web.needs import CommandFor, needs, wrong
from remotejobs.web.run_watch import RunWatch

Change = Callable[[str], None]  # gets the name of a host, or "" where it is something else

# Seconds between two scans of all jobs for what needs a person: after a change, and without one, because some of it
# arises with time.
_AT_MOST_EVERY, _AT_LEAST_EVERY = 1.0, 15.0
_LONGEST_LINE = 200  # characters of output in a table


class Board:
    """Threads change it, and the pages of browsers read it. `command` makes the command lines that the page offers."""

    def __init__(self, live: LiveFleet, server: FlowRuns, command: CommandFor) -> None:
        self.live = live
        self.server = server
        self.hosts = tuple(live.fleet.hosts)
        self._command = command
        self._watch = RunWatch(server, self._wanted_runs, lambda: self._changed(""))
        self._listeners: list[Change] = []
        self._lock = threading.Lock()
        self._needs, self._needs_at = "[]", float("-inf")
        self.stopped = False
        self.stale = True  # whether something changed since the last scan for what needs a person
        live.listen(self._changed)

    def start(self) -> None:
        """Start polling. Raises `ResourceLimitExceeded`."""
        self.live.start()
        self._watch.start()

    def stop(self) -> None:
        """Stop polling, and let the streams of pages end."""
        self.stopped = True
        self._watch.stop()
        self.live.stop()
        self._changed("")

    def listen(self, listener: Change) -> None:
        with self._lock:
            self._listeners = [*self._listeners, listener]

    def leave(self, listener: Change) -> None:
        with self._lock:
            self._listeners = [each for each in self._listeners if each != listener]

    def host(self, name: str) -> dict[str, Any]:
        """One host with its jobs. Times are seconds: `asked` and `away` since 1970, the others durations."""
        seen = self.live.seen(name)
        now = time.time()
        return {
            "host": name,
            "asked": seen.asked,
            "wrong": wrong(seen.error),
            "msg": one_line(message_of(name, seen.error)) if seen.error else "",
            "remedy": one_line(seen.error.remedy) if seen.error else "",
            "away": None if seen.unreachable_for is None else now - seen.unreachable_for,
            "jobs": [self._job(record, seen.last_lines.get(record.jid, "")) for record in seen.records],
        }

    def _job(self, record: Record, line: str) -> dict[str, Any]:
        row = row_of(HostResult(record.host, value=record))
        return {
            "jid": record.jid,
            "name": name_of(record),
            "state": record.state.value,
            "finished": record.finished,
            "rc": row.rc,
            "msg": row.msg,
            "line": shortened(one_line(line), _LONGEST_LINE) if _says_something(record) else "",
            "delta": record.delta,
            "start": record.start,
            "end": record.end,
            "still": record.still_runs,
            "run": run_of(record.jid),
        }

    def runs(self) -> dict[str, dict[str, Any]]:
        """The runs of these jobs by id, as far as the server knows them."""
        return {
            key: {"name": run.name, "state": run.state, "over": run.over, "page": self.server.page_of(key)}
            for key, run in self._watch.seen.runs.items()
        }

    def needs(self) -> str:
        """What needs a person, as JSON; as it was up to a second ago."""
        with self._lock:
            if time.monotonic() - self._needs_at >= (_AT_MOST_EVERY if self.stale else _AT_LEAST_EVERY):
                self.stale = False
                found = needs(self._all(), self._watch.seen, self.server, self.live.upkeep, self._command)
                self._needs, self._needs_at = json.dumps([asdict(need) for need in found]), time.monotonic()
            return self._needs

    def details(self, host: str, jid: str) -> dict[str, Any]:
        """What the page shows of a job beside its output: command lines, and the link to its run."""
        names = ("log", "status", "wait", "kill")
        run = run_of(jid)
        page = self.server.page_of(run) if run else ""
        return {"commands": [self._command(name, host, jid) for name in names], "page": page}

    def failed(self, run: str) -> list[str]:
        """The hosts on which a job of the run did not succeed, in the inventory's order."""
        bad = {each.host for each in self.live.records if run_of(each.jid) == run and is_bad(each)}
        return [host for host in self.hosts if host in bad]

    def _all(self) -> list[HostSeen]:
        return [self.live.seen(host) for host in self.hosts]

    def _wanted_runs(self) -> dict[str, bool]:
        wanted: dict[str, bool] = {}
        for record in self.live.records:
            if run := run_of(record.jid):
                wanted[run] = wanted.get(run, False) or not record.finished
        return wanted | {held.holder.owner: True for held in self.live.upkeep.locks if run_of(f"x.{held.holder.owner}")}

    def _changed(self, host: str) -> None:
        self.stale = True
        for listener in self._listeners:
            listener(host)


def _says_something(record: Record) -> bool:
    """Whether its last line belongs in a table: not where its progress stands there, nor where all is well."""
    return is_bad(record) if record.finished else record.progress is None


def as_json(hosts: Iterable[dict[str, Any]]) -> str:
    return json.dumps(list(hosts), separators=(",", ":"))
