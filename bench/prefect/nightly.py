"""A nightly backup of 20 items on 5 hosts, and on 2, under a Prefect server, beside an earlier build, in turn.

    python -m bench.prefect.nightly [--before COMMIT] [--runs 3] [--write]

The hosts are simulated, all else is real. The items take from 3 to 22 seconds; what counts is what the server takes for
the run, and how long after the end of the longest item the run is over.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from bench.documents import machine, put, say, table
from bench.earlier import comparison, trees_beside
from bench.scale import cpu_of
from lab.servers.prefect.server import PrefectServer

BEFORE = "2bc6718"  # the last build that polled up to 50 hosts one by one
LONGEST = 22  # seconds
HOSTS = (5, 2)
_IDLE = 20.0  # seconds

# A process of its own for each run: it imports the package from the tree that is measured.
_CHILD = """
import json, sys, time
from remotejobs.model import Job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import reached_by
from remotejobs.prefect.tasks.flow import remote_flow, run_jobs
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.testing import FakeHosts, Plan

ITEMS, HOSTS, LONGEST = 20, int(sys.argv[1]), int(sys.argv[2])
names = [f"h{number}" for number in range(HOSTS)]
fake = FakeHosts(lambda host, command: Plan(lasts=float(command)), real_time=True)
until = Until(retries=100, delay=15)

@remote_flow("nightly")
def nightly():
    steps = []
    for number in range(ITEMS):
        lasts = 3 + (LONGEST - 3) * number / (ITEMS - 1)
        job = Job(jid=jid_for("backup", str(number)), cmd=str(lasts), label=f"item {number}")
        steps.append(JobStep(job, names[number % HOSTS], until))
    return run_jobs(steps, Access(inventory=",".join(names)), title="nightly")

with reached_by(fake.connect):
    began, cpu = time.monotonic(), time.process_time()
    ends = nightly()
    took, spent = time.monotonic(), time.process_time() - cpu
    assert all(end.succeeded for end in ends) and len(ends) == ITEMS
    last = max(job.end.at for name in names for job in fake.host(name).jobs())
print(json.dumps({"over": took - last, "client": spent}))
"""


def main() -> None:
    options = comparison(__doc__, "bench.prefect.nightly", BEFORE)
    found: dict[int, dict[str, list[dict[str, float]]]] = {hosts: {} for hosts in HOSTS}
    with (
        trees_beside(options.before, "before") as trees,
        tempfile.TemporaryDirectory(prefix="rj-bench-") as name,
        PrefectServer(Path(name)) as server,
    ):
        server.await_ready()
        _run(trees["now"], HOSTS[0], server, 0.0)  # the first run finds a server that has not compiled its queries
        idle = _idle(server)
        for number in range(options.runs):
            for hosts, (tree, path) in product(HOSTS, trees.items()):
                say(f"run {number + 1}, {hosts} hosts, {tree}")
                found[hosts].setdefault(tree, []).append(_run(path, hosts, server, idle))
    what = {
        "server": "server CPU, without what it takes idle",
        "client": "CPU of the run's process",
        "over": "the run's end after the longest item's",
    }
    rows = [
        [f"{hosts} hosts", words, *_cells([[run[key] for run in runs] for runs in found[hosts].values()])]
        for hosts, (key, words) in product(HOSTS, what.items())
    ]
    how = f"Median of {options.runs} runs (least-most), in turn: {machine('prefect')}."
    text = f"{how}\n\n{table(['20 items on', '', *trees, 'now / before'], rows)}\n"
    print(text)
    if options.write:
        put("nightly", text)


def _cells(figures: list[list[float]]) -> list[str]:
    cells = [f"{statistics.median(one):.2f} s ({min(one):.2f}-{max(one):.2f})" for one in figures]
    ratio = statistics.median(figures[-1]) / statistics.median(figures[0])
    return [*cells, f"{ratio:.2f}" if len(figures) > 1 else ""]


def _idle(server: PrefectServer) -> float:
    """The part of a core that the server takes when nothing runs."""
    began = time.monotonic()
    with cpu_of(server) as cpu:
        time.sleep(_IDLE)
    return cpu[0] / (time.monotonic() - began)


def _run(tree: Path, hosts: int, server: PrefectServer, idle: float) -> dict[str, float]:
    environment = {**os.environ, **server.environment, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""}
    words = [sys.executable, "-c", _CHILD, str(hosts), str(LONGEST)]
    began = time.monotonic()
    with cpu_of(server) as cpu:
        done = subprocess.run(words, env=environment, cwd=tree, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "server": cpu[0] - idle * (time.monotonic() - began)}


if __name__ == "__main__":
    main()
