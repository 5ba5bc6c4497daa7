"""Where one host's share of the controller's CPU time and memory goes: what is SSH, and what is this program.

    python -m bench.shares [--hosts 50] [--write]

The same requests are made of real sshd and of simulated hosts; the difference is SSH: encryption, channels, threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from bench.documents import machine, put, say, table
from bench.engine import hosts
from remotejobs.connections.base import Connection, Question
from remotejobs.connections.connect import open_connection
from remotejobs.connections.ssh.connection import SshConnection
from remotejobs.inventory import load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job
from remotejobs.testing import FakeHosts, Plan

_IDLE = 60.0  # seconds
Row = tuple[str, str, str]
T = TypeVar("T")


def measured(count: int) -> Iterator[Row]:
    say(f"{count} sshd")
    with hosts(count) as inventory:
        known = list(load_inventory(inventory).hosts.values())
        open_connection(known[0])  # reads ssh_config
        opened: list[Connection] = []
        yield "resolve variables and ssh_config", _cpu(known, lambda host: opened.append(open_connection(host))), ""
        memory = _private()
        yield "connect, exchange keys, log in, one short question", _cpu(opened, _log_in), ""
        taken = (_private() - memory) / count
        fake = FakeHosts(Plan(lasts=None))
        simulated = [HostJobs(fake.connect(host)) for host in known]
        real = [HostJobs(connection) for connection in opened]
        job = Job(jid="shares", cmd="sleep 600", label="shares")
        for what, ask in _requests(job):
            yield what, _cpu(real, ask), _cpu(simulated, ask)
        say(f"idle for {_IDLE:.0f} s")
        before = time.process_time()
        time.sleep(_IDLE)
        idle = (time.process_time() - before) / count * 1000
        yield "a minute of an open connection on which nothing happens", f"{idle:.2f} ms", ""
        for connection in opened:
            connection.close()
        yield "memory of an open connection", f"{taken:.0f} KiB", ""


def _requests(job: Job) -> Iterable[tuple[str, Callable[[HostJobs], object]]]:
    yield "start a job", lambda jobs: jobs.start(job)
    yield "poll it", lambda jobs: jobs.record(job.jid)
    yield "kill it, with proof", lambda jobs: jobs.kill(job.jid, grace=0)


def _log_in(connection: Connection) -> None:
    assert isinstance(connection, SshConnection)
    connection.ask(Question(b"echo; echo end\n", end=b"end\n", timeout=60, max_bytes=1000))


def _cpu(things: Iterable[T], act: Callable[[T], object]) -> str:
    """Milliseconds of CPU time for each."""
    every = list(things)
    before = time.process_time()
    for thing in every:
        act(thing)
    return f"{(time.process_time() - before) / len(every) * 1000:.2f} ms"


def _private() -> int:
    """KiB that are this process's own."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.shares", description=__doc__)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/benchmarks.md")
    options = parser.parse_args()
    rows = list(measured(options.hosts))
    head = ["for each host", "over SSH", "without SSH"]
    text = f"Mean of {options.hosts} hosts: {machine('paramiko')}.\n\n{table(head, rows)}\n"
    print(text)
    if options.write:
        put("shares", text)


if __name__ == "__main__":
    main()
