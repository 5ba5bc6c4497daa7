"""A controller to be killed: a process of its own that connects, does one step to one job, and says when it begins."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection as Pipe
from random import Random
from typing import Any

from faults.network.transports import FaultHost
from remotejobs.connections.connect import open_connection
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.wait import wait_until_ended
from remotejobs.model import Job


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do, and where: `step` is one of `STEPS`."""

    variables: Mapping[str, Any]
    directory: str
    job: Job
    step: str


def life(jobs: HostJobs, job: Job) -> None:
    """Everything one after the other."""
    jobs.start(job)
    wait_until_ended(jobs, job.jid)
    jobs.kill(job.jid)


STEPS: Mapping[str, Callable[[HostJobs, Job], object]] = {
    "start": HostJobs.start,
    "poll": lambda jobs, job: wait_until_ended(jobs, job.jid),
    "kill": lambda jobs, job: jobs.kill(job.jid),
    "clean": lambda jobs, _: jobs.clean(older_than=-1),
    "life": life,
}

# A server that has imported everything forks each controller: a fresh process without a second of start-up.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["__main__", "faults.controller", "remotejobs.connections.ssh.connection"])


def prepare() -> None:
    """Start the server that forks the controllers; it stays until this process ends."""
    resource_tracker.ensure_running()
    forkserver.ensure_running()


def run_to_the_end(orders: Orders) -> float:
    """Let a controller do its step undisturbed; how many seconds it took from its first deed on."""
    process, started = _begin(orders)
    process.join()
    if process.exitcode:
        raise RuntimeError(f"a controller that was not killed ended with {process.exitcode} at {orders.step}")
    return time.monotonic() - started


def kill_midway(orders: Orders, chance: Random, typical: float) -> bool:
    """SIGKILL a controller at a random moment of its step; False when it was done before."""
    process, _ = _begin(orders)
    process.join(chance.uniform(0, typical))
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _begin(orders: Orders) -> tuple[multiprocessing.context.ForkServerProcess, float]:
    ear, mouth = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_obey, args=(orders, mouth), daemon=True)
    process.start()
    mouth.close()
    with ear:
        ear.recv()
    return process, time.monotonic()


def _obey(orders: Orders, mouth: Pipe) -> None:
    os.setsid()  # a terminal's Ctrl-C is for the process that gives orders
    mouth.send("started")
    connection = open_connection(FaultHost("host", orders.variables))
    STEPS[orders.step](HostJobs(connection, directory=orders.directory), orders.job)
    connection.close()
