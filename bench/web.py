"""What the live page takes while nothing happens: CPU of one core and memory, with a page open in a browser's place.

    python -m bench.web [--hosts 1000] [--seconds 60] [--write]

The hosts are `remotejobs.testing`, in the very process that is measured; the work of the simulation is counted in, SSH
is left out. Each measurement is a process of its own. With --write the table goes into docs/explanation/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

from pydantic import TypeAdapter

from bench.core import names
from bench.documents import machine, put, say, table
from remotejobs.inventory import load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Job, Record
from remotejobs.operations.flow_runs import FlowRuns
from remotejobs.testing import FakeHosts, Plan
from remotejobs.web.app import Settings
from remotejobs.web.board import Board
from remotejobs.web.live_fleet import QUESTIONS, LiveFleet
from remotejobs.web.serve import Place, Server, config_of, listening
from remotejobs.web.upkeep import Upkeep

_AIM = 2.0  # percent of a core, with a thousand hosts
_JOBS = 3  # that each host had


@dataclass(frozen=True, slots=True)
class WebFigures:
    """`idle` is percent of a core; `first` seconds from the start until all hosts are on the page; `memory` MiB."""

    hosts: int
    running: bool
    first: float
    idle: float
    memory: float
    threads: int


def simulated(count: int, running: bool) -> tuple[FakeHosts, Fleet]:
    """Hosts that each had some jobs, and one of which may still run."""
    fake = FakeHosts(Plan(stdout="done\n"), real_time=True)
    fake.plan("run", Plan(lasts=None, stdout="working\n"))
    fake.says("lk_check", "path /l\nfree\nanswered")
    fake.says("ct_list", "answered")
    fleet = Fleet(load_inventory(names(count)).select("all"), connect=fake.connect)
    commands = [*(f"done {number}" for number in range(_JOBS)), *(["run"] if running else [])]
    for command in commands:
        job = Job(jid=command.replace(" ", "-"), cmd=command, label=command)
        assert all(result.value for result in fleet.each(partial(_start, job=job)))
    return fake, fleet


def measure(count: int, running: bool, seconds: float) -> WebFigures:
    _fake, fleet = simulated(count, running)
    live = LiveFleet(fleet, Upkeep(fleet, "/var/backups"), jobs="*", since=86400, poll=5)
    board = Board(live, FlowRuns({}), _command)
    with listening(Place(port=0)) as opened:
        server = Server(board, config_of(board, Settings("all", "cookie"), Place()))
        threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True).start()
        started = time.monotonic()
        board.start()
        _open_page(opened.getsockname()[1])
        while any(live.seen(host).asked is None for host in board.hosts):
            time.sleep(0.05)
        first = time.monotonic() - started
        time.sleep(2 * count / QUESTIONS + 30)  # until all are asked as rarely as it gets: the pauses double
        cpu, wall = time.process_time(), time.monotonic()
        time.sleep(seconds)
        idle = 100 * (time.process_time() - cpu) / (time.monotonic() - wall)
        return WebFigures(count, running, first, idle, _memory(), threading.active_count())


def _start(jobs: HostJobs, job: Job) -> Record:
    return jobs.start(job)


def _command(*words: str) -> str:
    return " ".join(words)


def _open_page(port: int) -> None:
    """Read the stream as a browser does, in another process, which is not counted."""
    code = f"""
from http.client import HTTPConnection
connection = HTTPConnection("127.0.0.1", {port})
connection.request("GET", "/events")
answer = connection.getresponse()
while answer.readline(): pass
"""
    threading.Thread(target=lambda: subprocess.run([sys.executable, "-c", code], check=False), daemon=True).start()
    for _ in range(100):  # it is there before what is measured begins
        try:
            HTTPConnection("127.0.0.1", port, timeout=5).connect()
        except OSError:
            time.sleep(0.05)
        else:
            return


def _memory() -> float:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def measured(count: int, seconds: float) -> list[WebFigures]:
    found = []
    for running in ("", "--running"):
        say(f"the page of {count} hosts, {'a job running on each' if running else 'nothing running'}")
        words = ["--one", "--hosts", str(count), "--seconds", str(seconds), *filter(None, [running])]
        said = subprocess.run([sys.executable, "-m", "bench.web", *words], capture_output=True, text=True, check=True)
        found.append(TypeAdapter(WebFigures).validate_json(said.stdout.splitlines()[-1]))
    return found


def figures_table(rows: list[WebFigures], seconds: float) -> str:
    head = ["simulated hosts, a page open", f"CPU over {seconds:g} s", "aim", "memory", "threads", "all shown after"]
    cells = [
        (
            f"{row.hosts:,}, {'a job running on each' if row.running else 'nothing running'}",
            f"{row.idle:.1f} % of a core",
            "" if row.running else f"at most {_AIM:g} %",
            f"{row.memory:.0f} MiB",
            f"{row.threads:,}",
            f"{row.first:.1f} s",
        )
        for row in rows
    ]
    return table(head, cells)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.web", description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/benchmarks.md")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--running", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asdict(measure(options.hosts, options.running, options.seconds))), flush=True)
        return
    text = figures_table(measured(options.hosts, options.seconds), options.seconds)
    text = f"One run: {machine('starlette', 'uvicorn')}.\n\n{text}\n"
    print(text)
    if options.write:
        put("web", text)


if __name__ == "__main__":
    main()
