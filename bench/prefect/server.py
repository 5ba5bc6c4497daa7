"""Attempts a second that a Prefect server records, on SQLite and on PostgreSQL with Redis.

python -m bench.prefect.server
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.documents import PROJECT, machine, put, say, table
from lab.ports import free_ports
from lab.servers.prefect.scaled_server import API_PROCESSES, ScaledServer
from lab.servers.prefect.server import PrefectServer

_PAGE = PROJECT / "docs" / "how-to" / "scale.md"
_WITHIN = 150.0  # seconds for the backlog
_ASK_EVERY = 0.25
_TICKS = os.sysconf("SC_CLK_TCK")
KINDS: tuple[tuple[str, Callable[[Path], PrefectServer]], ...] = (
    ("SQLite, one process", lambda directory: PrefectServer(directory, port=free_ports(1)[0])),
    (
        f"PostgreSQL and Redis, {API_PROCESSES} processes for the API and one for the services",
        lambda directory: ScaledServer(directory, port=free_ports(1)[0], durable=True),
    ),
)


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """Seconds from the first attempt until the run's process was done, and until the server had recorded all of it.

    `cpu` is that of all of the server's processes, its database included; `answers` are the times of a small question
    meanwhile. `recorded` is less than `attempts` where time was up.
    """

    what: str
    attempts: int
    recorded: int
    sent: float
    seconds: float
    cpu: float
    answers: tuple[float, ...]

    @property
    def row(self) -> tuple[str, ...]:
        lost = "" if self.recorded == self.attempts else f" ({self.recorded} of them when time was up)"
        return (
            self.what,
            f"{self.attempts}{lost}",
            f"{self.sent:.0f} s",
            f"{self.seconds - self.sent:.0f} s",
            f"{self.recorded / self.seconds:.0f}/s",
            f"{self.cpu / max(1, self.recorded) * 1000:.0f} ms",
            f"{statistics.median(self.answers) * 1000:.0f} ms, {max(self.answers) * 1000:.0f} ms",
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.prefect.server", description=__doc__)
    parser.add_argument("--tasks", type=int, default=200, help="that poll at the same time")
    parser.add_argument("--attempts", type=int, default=15, help="of each task")
    parser.add_argument("--write", action="store_true", help="put the table into docs/how-to/scale.md")
    options = parser.parse_args()
    logging.disable()
    measured = [measure(what, make, options.tasks, options.attempts) for what, make in KINDS]
    head = ("server", "attempts", "sent within", "backlog after that", "recorded", "server CPU an attempt", "answers")
    how = (
        "One run sends them as fast as it can; answers: to a small question meanwhile, median and longest. "
        f"Run, server and database share the machine: {machine('prefect', 'prefect-redis')}."
    )
    text = f"{how}\n\n{table(head, [each.row for each in measured])}\n"
    print(text)
    if options.write:
        put("bench server", text, _PAGE)


def measure(what: str, make: Callable[[Path], PrefectServer], tasks: int, attempts: int) -> ServerFigures:
    say(what)
    with tempfile.TemporaryDirectory(prefix="remotejobs-bench-") as name, make(Path(name)) as server:
        server.await_ready()
        _polls(server, 5, 2)  # warm
        before, ours = _cpu(os.getpid()), Asking(server.api_url)
        with ours:
            run, began, sent = _polls(server, tasks, attempts)
            seconds, recorded = _await_recorded(server, run, began, tasks)
        return ServerFigures(
            what,
            attempts=tasks * attempts,
            recorded=recorded * attempts,
            sent=sent,
            seconds=seconds,
            cpu=_cpu(os.getpid()) - before,
            answers=tuple(ours.answers),
        )


def _polls(server: PrefectServer, tasks: int, attempts: int) -> tuple[str, float, float]:
    """The run, when it began, and how many seconds it took."""
    words = [sys.executable, "-m", "bench.prefect.polls", "--tasks", str(tasks), "--attempts", str(attempts)]
    env = {**server.environment, "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    done = subprocess.run(words, env=env, cwd=PROJECT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    figures = json.loads(done.stdout.splitlines()[-1])
    return str(figures["run"]), float(figures["began"]), float(figures["seconds"])


def _await_recorded(server: PrefectServer, run: str, began: float, tasks: int) -> tuple[float, int]:
    """Seconds until every task run shows as completed, which is the last that it says of itself; and how many do."""
    wanted = {"flow_runs": {"id": {"any_": [run]}}, "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    deadline = time.time() + _WITHIN
    while True:
        counted = int(httpx.post(f"{server.api_url}/task_runs/count", json=wanted, timeout=60).text)
        if counted == tasks or time.time() > deadline:
            return time.time() - began, counted
        time.sleep(_ASK_EVERY)


class Asking:
    """Asks the server one small question after the other, as a UI or a worker does, and times the answers."""

    def __init__(self, url: str) -> None:
        self.answers: list[float] = []
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(timeout=120) as client:
            while not self._over.wait(1):
                began = time.perf_counter()
                client.post(f"{self._url}/flow_runs/filter", json={"limit": 1})
                self.answers.append(time.perf_counter() - began)


def _cpu(pid: int) -> float:
    """CPU seconds of what runs below `pid`, without what has ended."""
    return sum(map(_own_cpu, _descendants(pid)))


def _descendants(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def _own_cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
