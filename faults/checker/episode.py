"""Making a plan happen: controllers ask, things break, and in the end all jobs are ended, polled and cleaned."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from faults.checker.command import CommandRun, holders_of, job_of, now, runs_in
from faults.checker.history import EpisodeHistory, Reported
from faults.checker.hosts import EpisodeHost, SharedHosts, WithDeeds, hosts_of
from faults.checker.plan import CONTROLLERS, EpisodePlan, Op
from faults.host.processes import end_under, left_under
from lab.job_files import read
from remotejobs.connections.base import Connection
from remotejobs.errors import HostRefused, RemoteJobsError
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State

ANSWER_WITHIN = 30.0  # seconds; a minute in earnest
SETTLED_WITHIN = 180.0  # a kill proves what it says, which takes its time where much else runs
NOBODY = -1  # the controller that cleans up

Change = Callable[[Connection], Connection]


def happen(
    plan: EpisodePlan, place: Path, ground: SharedHosts, change: Change = lambda connection: connection
) -> EpisodeHistory:
    """Everything that the plan wants, in the empty directory `place`. `change` may alter what is sent to the hosts."""
    with ExitStack() as stack:
        stack.callback(_end_all, place)
        stack.enter_context(patch("remotejobs.jobs.client.EXCHANGE_TIMEOUT", ANSWER_WITHIN))
        hosts = hosts_of(plan.hosts, place, ground, stack)
        history = EpisodeHistory(plan, tuple(host.name for host in hosts), tuple(str(host.base) for host in hosts))
        _Episode(history, hosts, place, change).run()
        return history


class _Episode:
    def __init__(self, history: EpisodeHistory, hosts: list[EpisodeHost], place: Path, change: Change) -> None:
        self._history = history
        self._plan = history.plan
        self._hosts = hosts
        self._notes: dict[str, Path] = {}
        for number, base in enumerate(dict.fromkeys(history.bases)):
            self._notes[base] = place / "notes" / str(number)
            self._notes[base].mkdir(parents=True)
        self._place = place
        self._change = change
        self._lock = threading.Lock()
        self._ways: list[WithDeeds] = []

    def run(self) -> None:
        begin = time.monotonic()
        acting = [threading.Thread(target=self._control, args=(number, begin)) for number in range(CONTROLLERS)]
        acting.append(threading.Thread(target=self._break, args=(begin,)))
        for one in acting:
            one.start()
        for one in acting:
            one.join()
        for host in self._hosts:
            host.recover()
        self._settle()

    def _control(self, number: int, begin: float) -> None:
        for op in self._plan.ops:
            if op.by == number:
                _sleep_until(begin + op.at)
                self._ask(op)

    def _break(self, begin: float) -> None:
        moments = [(one.at, 0, one) for one in self._plan.breaks]
        moments += [(one.at + one.lasts, 1, one) for one in self._plan.breaks]
        for at, over, one in sorted(moments, key=lambda moment: moment[:2]):
            _sleep_until(begin + at)
            host = self._hosts[one.host]
            if over:
                host.recover()
            else:
                moment = now()
                if host.suffer(one):
                    self._history.broken.append((moment, one))

    def _ask(self, op: Op) -> Reported:
        with self._lock:
            host = self._hosts[op.host]
            flag = self._place / "notes" / f"deed{len(self._ways)}"
            way = WithDeeds(self._change(host.connection), flag, op.deed, host.connection.host)
            self._ways.append(way)
        records: tuple[Record, ...] = ()
        error: RemoteJobsError | None = None
        asked = now()
        try:
            records = tuple(self._asked(op, HostJobs(way, directory=str(host.base)), str(host.base), flag.name))
        except RemoteJobsError as exc:
            error = exc
        answered = now()
        alive = frozenset(
            (run.host, run.pid)
            for record in records
            if record.finished
            for run in self._runs(str(host.base), record.jid)
            if run.alive
        )
        reported = Reported(op, asked, answered, records, error, alive, flag.name)
        with self._lock:
            self._history.reported.append(reported)
        return reported

    def _runs(self, base: str, jid: str) -> list[CommandRun]:
        return runs_in(self._notes[base], base, jid)

    def _asked(self, op: Op, jobs: HostJobs, base: str, label: str) -> Iterator[Record]:
        match op.what:
            case "start":
                yield jobs.start(job_of(self._plan.job(op.jid), op.variant, self._notes[base], label))
            case "poll":
                yield jobs.record(op.jid, wait=op.wait)
            case "kill":
                yield jobs.kill(op.jid, grace=op.grace)
            case "clean":
                yield from jobs.clean(older_than=-1)
            case _:
                yield from jobs.list()

    def _settle(self) -> None:
        """All jobs are ended; each answer stays the same when asked again, and no process is left."""
        history = self._history
        each = [(number, job.jid) for number in range(len(self._hosts)) for job in self._plan.jobs]
        for number, jid in each:
            if not self._ended(number, jid):
                history.left.append(f"{jid} on host {number} could not be ended")
        for number, jid in each:
            self._ask(Op(NOBODY, 0, number, "poll", jid))
        for number in range(len(self._hosts)):
            self._ask(Op(NOBODY, 0, number, "clean"))
            self._ask(Op(NOBODY, 0, number, "list"))
        history.runs = [run for base in self._notes for job in self._plan.jobs for run in self._runs(base, job.jid)]
        done = {way.flag.name for way in self._ways if way.done}
        history.reported = [replace(reported, did=reported.label in done) for reported in history.reported]
        # A job whose command was killed ended by itself, and what that leaves behind is its own.
        orphaned = {
            (history.bases[one.host], one.jid)
            for _, one in history.broken
            if (one.what, one.whom) == ("kill", "command")
        }
        lives = [run for run in history.runs if run.alive and (run.base, run.jid) not in orphaned]
        history.left += [f"{run.jid} lives on as {run.pid}" for run in lives]
        if not lives:
            _kill(holders_of(self._place / "notes"))
        if left := left_under(self._place):
            history.left.append(f"processes are left behind: {', '.join(map(_name, left))}")

    def _ended(self, number: int, jid: str) -> bool:
        deadline = time.monotonic() + SETTLED_WITHIN
        while time.monotonic() < deadline:
            reported = self._ask(Op(NOBODY, 0, number, "kill", jid))
            if isinstance(reported.error, HostRefused):
                return True  # none is there, or it is another host's
            if reported.records and all(
                record.state not in (State.RUNNING, State.QUEUED) for record in reported.records
            ):
                return True
            time.sleep(0.2)
        return False


def _name(pid: int) -> str:
    return f"{pid} {read(Path(f'/proc/{pid}/cmdline'))[:80].decode(errors='replace')}".replace("\0", " ")


def _sleep_until(moment: float) -> None:
    # The very moments are the plan's.
    time.sleep(max(0.0, moment - time.monotonic()))


def _end_all(place: Path) -> None:
    _kill(holders_of(place / "notes"))
    end_under(place)


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def ground_at(place: Path) -> Iterator[SharedHosts]:
    """What the episodes share, until the block ends."""
    with ExitStack() as stack:
        yield SharedHosts(place, stack)
