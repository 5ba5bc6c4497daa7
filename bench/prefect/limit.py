"""From which load on a Prefect server on SQLite falls behind, and one on PostgreSQL and Redis under the same load.

python -m bench.prefect.limit
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.documents import PROJECT, machine, put, say, table
from bench.prefect.server import KINDS, Asking
from bench.prefect.steady import ATTEMPTS, PAUSE, TASKS
from lab.servers.prefect.api import BUSY_TRIES, PrefectApi
from lab.servers.prefect.server import PrefectServer

_PAGE = PROJECT / "docs" / "how-to" / "scale.md"
_SECONDS = 30.0  # for which runs are begun; each then takes ATTEMPTS * PAUSE
_WITHIN = 90.0  # seconds for the backlog
_ASK_EVERY = 0.5
_TROUBLE = re.compile(rb"database is locked|QueuePool limit")
_HEAD = (
    "server",
    "flow runs at once",
    "attempts a second",
    "backlog after that",
    "runs that broke",
    "`database is locked` in its log",
    "recoveries for crashed runs",
    "answers",
)


@dataclass(frozen=True, slots=True)
class LimitFigures:
    """What became of so many flow `runs` at once: `begun` in all, `good` of them for their own process.

    `behind` is seconds from the end of the load until its last task run was recorded, None where time was up.
    `recoveries` were started for the `crashed` runs. `trouble` counts lines of the server's logs.
    """

    what: str
    runs: int
    begun: int
    good: int
    crashed: int
    recoveries: int
    seconds: float
    behind: float | None
    trouble: int
    answers: tuple[float, ...]

    @property
    def row(self) -> tuple[str, ...]:
        return (
            self.what,
            f"{self.runs}",
            f"{self.begun * TASKS * ATTEMPTS / self.seconds:.0f}",
            f"over {_WITHIN:.0f} s" if self.behind is None else f"{self.behind:.0f} s",
            f"{self.begun - self.good} of {self.begun}",
            f"{self.trouble}",
            f"{self.recoveries} for {self.crashed}",
            f"{statistics.median(self.answers) * 1000:.0f} ms, {max(self.answers) * 1000:.0f} ms",
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.prefect.limit", description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[5, 20, 40, 80], help="flow runs at once, step by step")
    parser.add_argument("--write", action="store_true", help="put the table into docs/how-to/scale.md")
    options = parser.parse_args()
    logging.disable()
    measured = [figures for what, make in KINDS for figures in _raise(what, make, options.runs)]
    how = (
        f"Each flow run has {TASKS} tasks, which poll {ATTEMPTS} times, every {PAUSE:g} s, and every tenth ends as "
        f"Crashed, for which an automation starts a recovery. Runs, server and database share the machine: "
        f"{machine('prefect', 'prefect-redis')}."
    )
    text = f"{how}\n\n{table(_HEAD, [each.row for each in measured])}\n"
    print(text)
    if options.write:
        put("bench limit", text, _PAGE)


def _raise(what: str, make: Callable[[Path], PrefectServer], steps: Sequence[int]) -> list[LimitFigures]:
    with tempfile.TemporaryDirectory(prefix="remotejobs-bench-") as name, make(Path(name)) as server:
        server.await_ready()
        server.declare()
        return [_said(_measure(what, server, runs)) for runs in steps]


def _said(figures: LimitFigures) -> LimitFigures:
    say(", ".join(figures.row))
    return figures


def _measure(what: str, server: PrefectServer, runs: int) -> LimitFigures:
    say(f"{what}: {runs} flow runs at once")
    name = f"steady-{runs}"
    trouble, recoveries, asking = _trouble(server), _recoveries(server), Asking(server.api_url)
    with asking:
        load = _load(server, name, runs)
        behind = _await(lambda: _recorded(server, name) >= load["good"] * TASKS)
        _await(lambda: _recoveries(server) - recoveries >= load["crashed"])
    return LimitFigures(
        what,
        runs,
        begun=int(load["runs"]),
        good=int(load["good"]),
        crashed=int(load["crashed"]),
        recoveries=_recoveries(server) - recoveries,
        seconds=load["seconds"],
        behind=behind,
        trouble=_trouble(server) - trouble,
        answers=tuple(asking.answers),
    )


def _load(server: PrefectServer, name: str, runs: int) -> dict[str, float]:
    words = [sys.executable, "-m", "bench.prefect.steady", "--name", name, "--runs", str(runs)]
    env = {**server.environment, "PREFECT_LOGGING_LEVEL": "INFO"}
    done = subprocess.run(
        [*words, "--seconds", str(_SECONDS)],
        env=env,
        cwd=PROJECT,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _await(come: Callable[[], bool]) -> float | None:
    """Seconds until `come` is true; None when time was up."""
    began = time.monotonic()
    while not come():
        if time.monotonic() - began > _WITHIN:
            return None
        time.sleep(_ASK_EVERY)
    return time.monotonic() - began


def _recorded(server: PrefectServer, name: str) -> int:
    wanted = {"flows": {"name": {"any_": [name]}}, "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    return _count(server, "task_runs", wanted)


def _recoveries(server: PrefectServer) -> int:
    with PrefectApi(server.api_url) as api:
        ids = [str(each.id) for each in api.deployments() if each.name == "zz-recover"]
    return _count(server, "flow_runs", {"deployments": {"id": {"any_": ids}}})


def _count(server: PrefectServer, what: str, wanted: dict[str, object]) -> int:
    """A server that is too busy to say is asked again."""
    for _ in range(BUSY_TRIES):
        response = httpx.post(f"{server.api_url}/{what}/count", json=wanted, timeout=120, verify=False)
        if response.is_success:
            break
        time.sleep(1)
    return int(response.raise_for_status().text)


def _trouble(server: PrefectServer) -> int:
    return sum(len(_TROUBLE.findall(log.read_bytes())) for log in server.directory.glob("*.log"))


if __name__ == "__main__":
    main()
