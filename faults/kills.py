"""SIGKILL of the controller at random moments of what it does, over a real sshd."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from threading import local

from faults.controller import Orders, kill_midway, run_to_the_end
from faults.network.transports import connection_to, jobs_at
from faults.oracle import Oracle, short, started_or_lost, stubborn
from faults.trial import SURVIVED, Trial, Try, lost
from lab.job_files import bearers_of
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.wait import wait_until_ended
from remotejobs.model import State

AT_ONCE = 3
AGAIN = 50  # a controller may be done before it is killed; then another job has to do


class _Killing:
    """Kills of one step, on one host of the lab."""

    def __init__(self, trial: Trial, lab: SshLab, step: str) -> None:
        self._trial = trial
        self._lab = lab
        self._step = step
        self._own = local()
        self._connections: list[Connection] = []
        self._seed = trial.chance.random()
        self._typical = max(run_to_the_end(self._orders(self._prepared(f"rehearsal{n}", Random(n)))) for n in range(2))

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    @started_or_lost
    def one(self, number: int) -> Try:
        chance = Random(f"{self._seed} {number}")
        for again in range(AGAIN):
            oracle = self._prepared(f"{self._step}{number}x{again}", chance)
            orders = self._orders(oracle)
            if kill_midway(orders, chance, self._typical):
                return self._finished(oracle)
        return lost(f"no controller could be killed at {self._step}: all {AGAIN} were done before")

    def _prepared(self, jid: str, chance: Random) -> Oracle:
        """All that comes before the step, done by a controller that lives."""
        place = self._trial.directory
        oracle = stubborn(place, jid) if self._step == "kill" else short(place, jid, chance)
        jobs = self._jobs(oracle)
        if self._step in ("poll", "kill", "clean"):
            jobs.start(oracle.job)
        if self._step == "kill":
            oracle.await_run()
        if self._step == "clean":
            wait_until_ended(jobs, jid)
        return oracle

    def _finished(self, oracle: Oracle) -> Try:
        """The step again, and all that comes after it, by a controller that lives."""
        jobs, jid = self._jobs(oracle), oracle.job.jid
        if self._step == "clean":
            jobs.clean(older_than=-1)
            return self._cleaned(jobs, oracle)
        jobs.start(oracle.job)
        record = jobs.kill(jid) if self._step == "kill" else wait_until_ended(jobs, jid)
        verdict = oracle.judge(record)
        if verdict is SURVIVED and record.state is State.KILLED and (left := bearers_of(record)):
            return lost(f"{jid}: reported as proven empty, but {left} run on")
        return verdict

    def _cleaned(self, jobs: HostJobs, oracle: Oracle) -> Try:
        return lost(f"{oracle.job.jid} is still there") if jobs.list() else oracle.once()

    def _orders(self, oracle: Oracle) -> Orders:
        return Orders(self._lab.variables("host"), self._directory(oracle), oracle.job, self._step)

    def _jobs(self, oracle: Oracle) -> HostJobs:
        if not hasattr(self._own, "connection"):
            self._own.connection = connection_to(self._lab, "host")
            self._connections.append(self._own.connection)
        return jobs_at(self._own.connection, self._directory(oracle))

    def _directory(self, oracle: Oracle) -> str:
        return str(Path(self._trial.directory) / "jobs" / oracle.job.jid)


def controller_killed(step: str, trial: Trial) -> Iterator[Try]:
    with (
        SshLab(trial.directory / "lab", ["host"]) as lab,
        closing(_Killing(trial, lab, step)) as killing,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        yield from threads.map(killing.one, range(trial.tries))
