"""What many hosts cost one process: simulated ones, watched by the core alone and by a flow under a Prefect server.

    python -m bench.scale [--sizes 10,100,200,1000,10000] [--part core|flow|sshd|all] [--before COMMIT] [--write]

Each measurement is a process of its own (`bench.core`, `bench.prefect.flow`). The core, and the flow on real sshd, are
measured beside the build of an earlier commit, in turn. With --write the table goes into
docs/explanation/benchmarks.md and the figures into bench/results/scale.json, from which `bench.plot` draws.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from bench.core import CoreFigures
from bench.documents import PROJECT, machine, put, save, say, table
from bench.earlier import trees_beside
from bench.engine import hosts
from bench.prefect.flow import SLEEP, Flown
from lab.servers.prefect.api import PrefectApi, RunStatus
from lab.servers.prefect.server import PrefectServer

BEFORE = "b02bab3"  # the last build in which each host that was waited for held a thread
SSHD = "200,1000"
SIZES = "10,100,200,1000,10000"
# Hosts, delay, group: by itself at two delays, and one by one for comparison.
FLIGHTS = ((10, 15, 0), (100, 15, 0), (200, 15, 0), (200, 15, 1), (1000, 15, 0), (1000, 1, 0), (10000, 15, 0))
T = TypeVar("T")
_AIMED = 1000  # hosts
_TICKS = os.sysconf("SC_CLK_TCK")
_PAUSE = 2.0
_IDLE = 0.1  # of a core: what a server takes that has nothing to do
_DIGESTED_WITHIN = 300.0  # seconds until the server has nothing to do any more


@dataclass(frozen=True, slots=True)
class Flight:
    """A flow run, and what it cost the server: seconds of CPU until all was digested, task runs and their attempts."""

    flown: Flown
    delay: float
    group: int
    server_cpu: float
    task_runs: int
    attempts: int


def measured_core(sizes: list[int], trees: Mapping[str, Path]) -> Iterator[tuple[str, CoreFigures]]:
    for size in sizes:
        for name, tree in trees.items():
            say(f"core, {size} hosts, {name}")
            yield name, TypeAdapter(CoreFigures).validate_json(_run("bench.core", str(size), tree=tree))


def measured_flights(sizes: list[int]) -> Iterator[Flight]:
    flights = [flight for flight in FLIGHTS if flight[0] in sizes]
    with tempfile.TemporaryDirectory(prefix="rj-bench-") as name, PrefectServer(Path(name)) as server:
        server.await_ready()
        _fly(server, 10, 15, 0)  # the first run finds a server that has not compiled its queries
        for count, delay, group in flights:
            say(f"flow, {count} hosts, delay {delay} s, group {group}")
            yield _fly(server, count, delay, group)


def measured_on_sshd(sizes: list[int], trees: Mapping[str, Path]) -> Iterator[tuple[str, Flight]]:
    """The flow on as many real sshd."""
    with tempfile.TemporaryDirectory(prefix="rj-bench-") as name, PrefectServer(Path(name)) as server:
        server.await_ready()
        _fly(server, 10, 15, 0)
        for size in sizes:
            with hosts(size) as inventory:
                for build, tree in trees.items():
                    say(f"flow, {size} real sshd, {build}")
                    yield build, _fly(server, size, 15, 0, "--inventory", str(inventory), tree=tree)


def _fly(server: PrefectServer, count: int, delay: float, group: int, *others: str, tree: Path = PROJECT) -> Flight:
    words = ["--delay", str(delay), "--group", str(group), *others]
    with cpu_of(server) as cpu:
        printed = _run("bench.prefect.flow", str(count), *words, environment=server.environment, tree=tree)
        flown = TypeAdapter(Flown).validate_json(printed)
        with PrefectApi(server.api_url) as api:
            runs = _all_task_runs(api, RunStatus(id=UUID(flown.run), name="bench"))
    return Flight(flown, delay, group, cpu[0], len(runs), sum(run.run_count for run in runs))


def _all_task_runs(api: PrefectApi, run: RunStatus) -> list[RunStatus]:
    """Once all of them have ended for the server too, which may lag behind."""
    deadline = time.monotonic() + _DIGESTED_WITHIN
    while not (runs := api.task_runs(run)) or not all(each.final for each in runs):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server has not digested flow run {run.id}")
        time.sleep(0.5)
    return runs


@contextmanager
def cpu_of(server: PrefectServer) -> Iterator[list[float]]:
    """Seconds of CPU time that the server takes meanwhile, and afterwards until it is idle."""
    before, took = _seconds(server.pid), list[float]()
    yield took
    last, idle = _seconds(server.pid), False
    while not idle:
        time.sleep(_PAUSE)
        now = _seconds(server.pid)
        last, idle = now, now - last < _IDLE * _PAUSE
    took.append(last - before)


def _seconds(pid: int) -> float:
    """CPU time of a process and of all that it started and that lives."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / _TICKS
    children = [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]
    return own + sum(map(_seconds, children))


def _run(*module: str, environment: Mapping[str, str] = os.environ, tree: Path = PROJECT) -> str:
    """What a measuring program of this tree prints last of the package in `tree`."""
    compiled = {**environment, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": f"{tree}:{PROJECT}"}
    words = [sys.executable, "-m", *module]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=compiled, cwd=tree)
    if done.returncode:
        raise RuntimeError(f"{' '.join(module)} failed:\n{done.stderr[-3000:]}")
    return done.stdout.splitlines()[-1]


def core_table(rows: list[tuple[str, CoreFigures]]) -> str:
    head = [
        "simulated hosts",
        "build",
        "CPU to start all",
        "CPU a host, start to end",
        "peak memory",
        "threads",
        "end known after",
    ]
    cells = [
        (
            f"{row.hosts:,}",
            build,
            f"{row.start_cpu:.2f} s",
            f"{1000 * (row.start_cpu + row.watch_cpu) / row.hosts:.2f} ms",
            f"{row.memory:.0f} MiB",
            f"{row.threads:,}",
            lag(row.lags),
        )
        for build, row in rows
    ]
    return table(head, cells)


def flow_table(rows: list[tuple[str, Flight]]) -> str:
    head = ["hosts", "build", "delay", "task runs", "all started after", "client CPU until then"]
    head += ["client CPU a host, to the end", "server CPU a host", "peak memory", "threads"]
    head += ["attempts a second, mean, most", "end known after"]
    cells = [
        (
            f"{row.flown.hosts:,}" + (", one by one" if row.group == 1 else ""),
            build,
            f"{row.delay:g} s",
            f"{row.task_runs:,}",
            f"{row.flown.started:.1f} s",
            f"{row.flown.start_cpu:.1f} s",
            f"{1000 * row.flown.cpu / row.flown.hosts:.1f} ms",
            f"{1000 * row.server_cpu / row.flown.hosts:.1f} ms",
            f"{row.flown.memory:.0f} MiB",
            f"{row.flown.threads:,}",
            f"{row.attempts / row.flown.wall:.1f}, {most_a_second(row.flown.attempts)}",
            lag(row.flown.lags),
        )
        for build, row in rows
    ]
    return table(head, cells)


def aims_table(core: list[CoreFigures], real: list[Flight]) -> str:
    """What was aimed at with a thousand hosts, and what came of it on real sshd."""
    flight = next((row for row in real if row.flown.hosts == _AIMED), None)
    if flight is None:
        return ""
    flown, costs = flight.flown, {row.hosts: 1000 * (row.start_cpu + row.watch_cpu) / row.hosts for row in core}
    mean = flight.attempts / flown.wall
    rows = [
        ("attempts a second", "at most 10", f"{mean:.1f}, at most {most_a_second(flown.attempts)} within one second"),
        ("an end is known", "within 1 s", lag(flown.lags)),
        ("memory of the controller", "at most 300 MB", f"{flown.memory * 1024 * 1024 / 1e6:.0f} MB"),
        ("controller CPU to start all", "at most 15 s", f"{flown.start_cpu:.1f} s"),
    ]
    if {10, _AIMED} <= set(costs):
        cost = f"{costs[10]:.2f} ms with 10, {costs[_AIMED]:.2f} ms with {_AIMED:,}"
        rows.append(("CPU a host, core alone", "no more with 1,000 hosts than with 10", cost))
    return table([f"with {_AIMED:,} hosts", "aim", "measured"], rows)


def lag(lags: tuple[float, ...]) -> str:
    return f"{1000 * median(lags):.0f} ms, at worst {1000 * max(lags):.0f} ms"


def most_a_second(times: tuple[float, ...]) -> int:
    """The most that came within any one second."""
    return max(sum(at <= other < at + 1 for other in times) for at in times)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--sizes", default=SIZES, help="numbers of hosts")
    parser.add_argument("--sshd", default=SSHD, help="numbers of real sshd")
    parser.add_argument("--before", default=BEFORE, help="the commit to measure beside this tree")
    parser.add_argument("--part", choices=["core", "flow", "sshd", "all"], default="all")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/explanation/benchmarks.md")
    options = parser.parse_args()
    sizes, sshd = ([int(size) for size in given.split(",")] for given in (options.sizes, options.sshd))
    with trees_beside(options.before, "before") as trees:
        core = list(measured_core(sizes, trees)) if options.part in ("core", "all") else []
        flow = [("now", row) for row in measured_flights(sizes)] if options.part in ("flow", "all") else []
        real = list(measured_on_sshd(sshd, trees)) if options.part in ("sshd", "all") else []
    parts = [f"One run each, all on one machine: {machine('prefect', 'paramiko')}."]
    parts += ["", "The core alone, simulated hosts:", "", core_table(core)] if core else []
    parts += ["", "A flow run under a Prefect server on SQLite, simulated hosts:", "", flow_table(flow)] if flow else []
    parts += ["", f"The same on real sshd, `sleep {SLEEP}`:", "", flow_table(real)] if real else []
    parts += ["", aims] if (aims := aims_table(_now(core), _now(real))) else []
    text = "\n".join(parts) + "\n"
    print(text)
    if options.write:
        put("scale", text)
        figures = {
            "core": [_kept(row) for row in _now(core)],
            "flow": [_kept(row) for row in _now(flow)],
            "sshd": [_kept(row) for row in _now(real)],
        }
        save("scale", figures, "prefect", "paramiko")


def _now(rows: list[tuple[str, T]]) -> list[T]:
    return [row for build, row in rows if build == "now"]


def _kept(row: CoreFigures | Flight) -> dict[str, Any]:
    """What was measured, without a figure for each host."""
    found = asdict(row)
    return {**found, "flown": _short(found["flown"])} if "flown" in found else _short(found)


def _short(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if not isinstance(value, tuple)}


if __name__ == "__main__":
    main()
