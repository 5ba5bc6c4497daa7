"""What a short run on one host costs the controller, beside an earlier build, in turn.

    python -m bench.controller [--before COMMIT] [--runs 7] [--write]

Connect, log in, start a job, and one look that waits for it, as `run -P 1` does: the processor time of the whole
process, without its start.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.documents import machine, put, say, table
from bench.earlier import comparison, trees_beside
from bench.engine import hosts

BEFORE = "2bc6718"  # the last build in which start and look were two exchanges
COUNT = 20  # in one measurement

_CHILD = """
import inspect, sys, time
from remotejobs.agent.request import Read
from remotejobs.inventory import load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Job
there = load_inventory(sys.argv[1]).select("all")
in_one = "wait" in inspect.signature(HostJobs.start).parameters

def run(number):
    job = Job(jid=f"{sys.argv[2]}.{number}", cmd="sleep 0.2")
    with Fleet(there) as fleet:
        (name,) = fleet.hosts
        jobs = fleet.jobs(name)
        if in_one:
            assert jobs.start(job, wait=30).finished
        else:
            jobs.start(job)
            assert jobs.status([Read(job.jid, max_bytes=4096)], wait=30)[0].finished

run("warm")
began = time.process_time()
for number in range(int(sys.argv[3])):
    run(number)
print((time.process_time() - began) / int(sys.argv[3]))
"""


def main() -> None:
    options = comparison(__doc__, "bench.controller", BEFORE)
    found: dict[str, list[float]] = {}
    with trees_beside(options.before, "before") as trees, hosts(1) as inventory:
        for number in range(options.runs):
            say(f"run {number + 1} of {options.runs}")
            for name, tree in trees.items():
                found.setdefault(name, []).append(_spent(tree, inventory))
    medians = [statistics.median(one) * 1000 for one in found.values()]
    cells = [
        f"{median:.2f} ms ({min(one) * 1000:.2f}-{max(one) * 1000:.2f})"
        for one, median in zip(found.values(), medians, strict=True)
    ]
    row = ["connect, start, look until the end", *cells, f"{medians[-1] / medians[0]:.2f}" if len(medians) > 1 else ""]
    how = f"Median of {options.runs} runs (least-most) of {COUNT} each, in turn: {machine('paramiko')}."
    text = f"{how}\n\n{table(['controller CPU', *found, 'now / before'], [row])}\n"
    print(text)
    if options.write:
        put("controller", text)


def _spent(tree: Path, inventory: Path) -> float:
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""}
    words = [sys.executable, "-c", _CHILD, str(inventory), f"b{time.monotonic_ns()}", str(COUNT)]
    done = subprocess.run(words, env=environment, cwd=tree, check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
