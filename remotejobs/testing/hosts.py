"""All hosts of a test: what is planned of them, what was started there, and the connections to them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from remotejobs.connections.base import Connection
from remotejobs.errors import UsageError
from remotejobs.inventory.variables import HostLike
from remotejobs.model import Job, State
from remotejobs.testing.host import FakeHost
from remotejobs.testing.job import FakeJob, by_itself, lost
from remotejobs.testing.plan import Plan, Planner

SUCCEEDS = Plan()


@dataclass(frozen=True, slots=True)
class StartedJob:
    """A job that was started somewhere, as it was asked for, and how it is now."""

    host: str
    job: Job
    state: State


class FakeHosts:
    """Hosts that come to be when they are asked for. Safe to use from several threads.

    A job goes as the last `plan` says that fits its command and host, else as `default`. Unless `real_time` is set, a
    wait for a job whose end is planned takes no time: the clock of its host jumps ahead. Jobs without a planned end
    take ours, until the test says `ends`. `latency` is seconds that each answer takes, on the same clock.
    """

    def __init__(self, default: Plan | Planner = SUCCEEDS, *, real_time: bool = False, latency: float = 0.0) -> None:
        self._default = default
        self._real_time = real_time
        self._latency = latency
        self._plans: list[tuple[re.Pattern[str], str, Plan]] = []
        self._words: list[tuple[re.Pattern[str], str, int, str]] = []
        self._hosts: dict[str, FakeHost] = {}
        self._lock = threading.Lock()
        self._one_more = threading.Event()

    def connect(self, host: HostLike) -> Connection:
        """The way to a host of the inventory: give it to `Fleet(..., connect=fake.connect)`."""
        return self.host(host.name)

    def host(self, name: str) -> FakeHost:
        """One host, to make it unreachable, slow, rebooted."""
        with self._lock:
            if name not in self._hosts:
                self._hosts[name] = FakeHost(
                    name,
                    plan=self._plan,
                    say=self._say,
                    on_start=self._one_more.set,
                    real_time=self._real_time,
                    latency=self._latency,
                )
            return self._hosts[name]

    def plan(self, command: str, plan: Plan, *, on: str = "*") -> None:
        """How jobs go whose command holds the regular expression `command`, on hosts like `on`."""
        self._plans.insert(0, (re.compile(command), on, plan))

    def says(self, question: str, output: str = "", *, rc: int = 0, on: str = "*") -> None:
        """What the shell there answers to a short script that holds the regular expression `question`."""
        self._words.insert(0, (re.compile(question), on, rc, output))

    def ends(
        self, job: str, rc: int = 0, *, on: str = "*", signal: str = "", stdout: str = "", stderr: str = ""
    ) -> None:
        """End the running jobs with that jid or label, now. `UsageError` where none runs."""

        def end(running: FakeJob, now: float) -> None:
            running.write(stdout, stderr, at=now)
            running.end = by_itself(now, rc, signal)

        self._change(job, on, end)

    def writes(self, job: str, stdout: str = "", *, on: str = "*", stderr: str = "", progress: str = "") -> None:
        """Let the running jobs with that jid or label write something. `UsageError` where none runs."""
        self._change(job, on, lambda running, now: running.write(stdout, stderr, progress, at=now))

    def loses(self, job: str, cause: str = "gone", *, on: str = "*") -> None:
        """Let the running jobs with that jid or label be lost: `gone`, `disk_full`. `UsageError` where none runs."""

        def lose(running: FakeJob, now: float) -> None:
            running.end = lost(now, cause)

        self._change(job, on, lose)

    def started(self, job: str = "", *, on: str = "*", count: int = 0, timeout: float = 30.0) -> tuple[StartedJob, ...]:
        """The jobs with that jid or label (all, where it is empty), sorted by host.

        With `count`, wait until there are so many. `UsageError` where that takes longer than `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while len(found := self._started(job, on)) < count:
            if time.monotonic() > deadline:
                raise UsageError(f"{len(found)} of {count} jobs {job!r} were started within {timeout:g} s", remedy="")
            self._one_more.wait(0.1)
            self._one_more.clear()
        return found

    def _started(self, name: str, on: str) -> tuple[StartedJob, ...]:
        return tuple(
            StartedJob(host.host, job.job, job.state)
            for host in self._like(on)
            for job in host.jobs()
            if not name or job.named(name)
        )

    def _like(self, on: str) -> list[FakeHost]:
        with self._lock:
            return [host for name, host in sorted(self._hosts.items()) if fnmatchcase(name, on)]

    def _change(self, name: str, on: str, act: Callable[[FakeJob, float], None]) -> None:
        if not sum(host.change(act, name) for host in self._like(on)):
            remedy = "Wait for its start with `started(..., count=1)`."
            raise UsageError(f"no job {name!r} runs on the hosts {on!r}", remedy=remedy)

    def _plan(self, host: str, command: str) -> Plan:
        for pattern, on, plan in self._plans:
            if fnmatchcase(host, on) and pattern.search(command):
                return plan
        return self._default if isinstance(self._default, Plan) else self._default(host, command)

    def _say(self, host: str, script: str) -> tuple[int, str]:
        for pattern, on, rc, output in self._words:
            if fnmatchcase(host, on) and pattern.search(script):
                return rc, output
        return 127, "a fake host runs nothing: say with `says` what it answers to this script"
