"""Two hours of a busy place in ten minutes: mixed jobs on many hosts while everything breaks now and then."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from unittest.mock import patch

from faults.controller import Orders, kill_midway, prepare
from faults.host.processes import left_under
from faults.network.connections import CONTACT_TIMEOUT, again_and_again
from faults.network.transports import connection_to, jobs_at
from faults.network.wire import BadWire
from faults.oracle import NeverRan, Oracle, short, stubborn
from faults.trial import SURVIVED, Trial, Try, lost
from lab.job_files import bearers_of, kill_supervision, supervisor_of
from lab.servers.sshd import SshLab
from remotejobs.errors import HostError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.wait import retry_while_unreachable, wait_until_ended
from remotejobs.model import Record, State

MOST_HOSTS = 20
PER_HOST = 5  # jobs of a short soak
JOBS_A_SECOND = 1.0
LONGEST = 60.0  # seconds of a job in the full soak; twelve minutes in earnest
PAUSE = 2.0  # seconds between two faults, at most


class _Soak:
    """Hosts behind bad wires, the jobs on them, and those whose supervisor was killed on purpose."""

    def __init__(self, trial: Trial, stack: ExitStack) -> None:
        self._trial = trial
        self._seed = trial.chance.random()
        self.span = trial.tries / JOBS_A_SECOND
        self.names = [f"host{n}" for n in range(max(2, min(MOST_HOSTS, trial.tries // PER_HOST)))]
        self.lab = stack.enter_context(SshLab(trial.directory / "lab", self.names))
        self._wires = {
            name: stack.enter_context(BadWire(self.lab.host(name).port, Random(trial.chance.random())))
            for name in self.names
        }
        self.jobs: dict[str, HostJobs] = {}
        for name in self.names:
            connection = connection_to(self.lab, name, wire=self._wires[name])
            stack.callback(connection.close)
            self.jobs[name] = jobs_at(connection, trial.directory / "jobs" / name)
        self._running: dict[str, Record] = {}
        self._beheaded: set[str] = set()

    def one(self, number: int) -> Try:
        """One job from its start, at its own time, to its end."""
        chance = Random(f"{self._seed} {number}")
        time.sleep(chance.uniform(0, self.span))
        name, kind = chance.choice(self.names), chance.choice(["ends", "ends", "ends", "limited", "killed"])
        oracle, jobs = self._oracle(number, kind, chance), self.jobs[name]
        try:
            if chance.random() < 0.1:
                directory = str(self._trial.directory / "jobs" / name)
                kill_midway(Orders(self.lab.variables(name), directory, oracle.job, "start"), chance, 0.2)
            record = retry_while_unreachable(lambda: jobs.start(oracle.job), contact_timeout=CONTACT_TIMEOUT)
            self._running[record.jid] = record
            return self._judged(jobs, oracle, self._end(jobs, oracle, kind, chance))
        except (HostError, NeverRan) as exc:
            return lost(f"{oracle.job.jid} on {name}: {exc}")
        finally:
            self._running.pop(oracle.job.jid, None)

    def _oracle(self, number: int, kind: str, chance: Random) -> Oracle:
        place, jid = self._trial.directory, f"job{number}"
        if kind == "ends":
            return short(place, jid, chance, longest=min(LONGEST, self.span / 5))
        if kind == "killed":
            return stubborn(place, jid)
        return replace(stubborn(place, jid, timeout=chance.randint(1, 10)), state=State.TIMED_OUT)

    def _end(self, jobs: HostJobs, oracle: Oracle, kind: str, chance: Random) -> Record:
        jid = oracle.job.jid
        if kind != "killed":
            return wait_until_ended(jobs, jid, poll=2, contact_timeout=CONTACT_TIMEOUT)
        oracle.await_run()
        time.sleep(chance.uniform(0, 2))
        return retry_while_unreachable(lambda: jobs.kill(jid, grace=0), contact_timeout=CONTACT_TIMEOUT)

    def _judged(self, jobs: HostJobs, oracle: Oracle, record: Record) -> Try:
        if record.cause == "gone" and record.jid in self._beheaded:
            retry_while_unreachable(lambda: jobs.kill(record.jid, grace=0), contact_timeout=CONTACT_TIMEOUT)
            if left := bearers_of(record):
                return lost(f"{record.jid}: {left} run on")
            # The kill may have come before the command's first step.
            return oracle.once() if oracle.runs else SURVIVED
        if record.jid in self._beheaded and record.state is State.KILLED:
            return oracle.once()
        return oracle.judge(replace(record, rc=record.rc if oracle.rc is not None else None))

    def disturb(self) -> None:
        """One fault somewhere."""
        chance = self._trial.chance
        name = chance.choice(self.names)
        wire = self._wires[name]
        match chance.choice(["cut", "lose", "stall", "reset", "restart", "stop", "behead"]):
            case "cut":
                wire.cut()
            case "lose":
                wire.lose()
            case "stall":
                wire.stall()
                time.sleep(chance.uniform(0, 1))
                wire.resume()
            case "reset":
                wire.resets = chance.choice([0.0, 0.1])
            case "restart":
                self.lab.stop_host(name)
                self.lab.start_host(name)
            case "stop":
                self._signal(chance, signal.SIGSTOP)
            case _:
                self._signal(chance, signal.SIGKILL)

    def _signal(self, chance: Random, number: signal.Signals) -> None:
        """To the supervisor of some job that runs; a stopped one goes on after a moment."""
        running = sorted(self._running.items())
        if not running:
            return
        jid, record = chance.choice(running)
        # It may have ended just now.
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            supervisor = supervisor_of(record)
            if number is signal.SIGKILL:
                self._beheaded.add(jid)
                kill_supervision(record)
            os.kill(supervisor, number)
            time.sleep(0.2)
            os.kill(supervisor, signal.SIGCONT)


def soak(trial: Trial) -> Iterator[Try]:
    """Every job is accounted for; at the end no process, no file handle and no thread is left."""
    prepare()
    before = _held()
    with ExitStack() as stack, patch("remotejobs.jobs.client.EXCHANGE_TIMEOUT", 5.0):
        place = _Soak(trial, stack)
        threads = stack.enter_context(ThreadPoolExecutor(trial.tries))
        with again_and_again(place.disturb, trial.chance, PAUSE):
            yield from threads.map(place.one, range(trial.tries))
        if unknown := _unknown(place, trial.tries):
            yield lost(unknown)
    if left := left_under(trial.directory / "jobs"):
        yield lost(f"processes left behind: {left}")
    if left_over := _settled(before):
        yield lost(f"left behind: {left_over}")


def _unknown(place: _Soak, jobs: int) -> str:
    """What the hosts report other than exactly the jobs that were started, none of them as running; "" for nothing."""
    reported = [
        record
        for each in place.jobs.values()
        for record in retry_while_unreachable(each.list, contact_timeout=CONTACT_TIMEOUT)
    ]
    odd = [record.jid for record in reported if not record.finished]
    if len(reported) != jobs or odd:
        return f"{len(reported)} jobs are reported of {jobs}, and as running: {odd}"
    return ""


def _held() -> tuple[int, int]:
    """How many file descriptors and threads this process has."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


def _settled(before: tuple[int, int]) -> str:
    """Which of the two have grown, once what was closed had time to go; "" for neither."""
    deadline = time.monotonic() + 20
    while any(now > then for now, then in zip(_held(), before, strict=True)):
        if time.monotonic() > deadline:
            (files, threads), (files_before, threads_before) = _held(), before
            return f"{files} file descriptors ({files_before} before), {threads} threads ({threads_before} before)"
        time.sleep(0.1)
    return ""
