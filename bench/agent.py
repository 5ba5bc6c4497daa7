"""What a start and a status cost a host under each shell, beside earlier builds of this project, in turn.

    python -m bench.agent [--before COMMIT] [--runs 7] [--write]

The host is this machine, without SSH: what counts is the processor time of all that the agent runs, to the last
process of each job. It is read from the kernel, which charges it to a process that reaps every orphan.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench.documents import machine, put, say, table
from bench.earlier import comparison, trees_beside

EARLIER = {
    "without a reaper": "332c25c220ec6a5b3896513e743c9ef8628b95a5",  # the last build that had none
    "with ten programs": "2bc671872e88dd49665f39f771896770b87f490b",  # the last build whose start ran so many
}
COUNT = 25  # of each, in one measurement
SHELLS = ("dash", "busybox", "bash")
TASKS = ("start", "status")
WHAT = {"start": "start `true`, until its result is written", "status": "one status of it"}

# A process of its own for each measurement: the kernel sums up what its children took, and orphans become children.
_CHILD = """
import ctypes, os, resource, sys, time
from remotejobs.model import Job
try:
    from remotejobs.agent.request import Read
    from remotejobs.connections.local import LocalConnection
    from remotejobs.jobs.client import HostJobs
except ImportError:
    from remotejobs.request import Read
    from remotejobs.local import LocalConnection
    from remotejobs.jobs import HostJobs
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
task, count = sys.argv[1], int(sys.argv[2])
jobs = HostJobs(LocalConnection("here"), directory=sys.argv[3])

def spent():
    while True:
        try:
            os.wait()
        except ChildProcessError:
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            return used.ru_utime + used.ru_stime

if task == "status":
    jobs.start(Job(jid="one", cmd="true"))
before = spent()
for number in range(count):
    if task == "start":
        jobs.start(Job(jid=f"j{number}", cmd="true"))
    else:
        jobs.status([Read("one")])
print((spent() - before) / count)
"""


def measured(trees: Mapping[str, Path], runs: int) -> list[list[str]]:
    """A row for each task under each shell: each tree's median in milliseconds, and how the last compares to each."""
    rows = []
    for shell in SHELLS:
        for task in TASKS:
            say(f"{task} under {shell}")
            taken: list[list[float]] = [[] for _ in trees]
            for _ in range(runs):
                for tree, spent in zip(trees.values(), taken, strict=True):
                    spent.append(_spent(tree, shell, task))
            medians = [statistics.median(one) for one in taken]
            cells = [
                f"{median * 1000:.1f} ({min(one) * 1000:.1f}-{max(one) * 1000:.1f})"
                for one, median in zip(taken, medians, strict=True)
            ]
            rows.append([shell, WHAT[task], *cells, *(f"{medians[-1] / earlier:.2f}" for earlier in medians[:-1])])
    return rows


def _spent(tree: Path, shell: str, task: str) -> float:
    """Seconds of processor time a start or a status."""
    with tempfile.TemporaryDirectory(prefix="rj-agent-") as name:
        home = Path(name)
        (home / "bin").mkdir()
        (home / "bin" / "sh").symlink_to(shutil.which(shell) or shell)
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "PATH": f"{home}/bin:{os.environ['PATH']}",
            "HOME": name,
            "PYTHONPATH": str(tree),
        }
        command = [sys.executable, "-c", _CHILD, task, str(COUNT), str(home / "jobs")]
        done = subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    options = comparison(__doc__, "bench.agent", "")
    trees: dict[str, Path] = {}
    with ExitStack() as stack:
        for name, commit in ({"before": options.before} if options.before else EARLIER).items():
            trees |= stack.enter_context(trees_beside(commit, name))
        now = trees.pop("now")
        rows = measured({**trees, "now": now}, options.runs)
    head = ["shell", "what", *(f"{name}, ms" for name in (*trees, "now")), *(f"now / {name}" for name in trees)]
    text = f"Median of {options.runs} runs (least-most) of {COUNT} each, in turn: {machine()}.\n\n{table(head, rows)}\n"
    print(text)
    if options.write:
        put("agent", text)


if __name__ == "__main__":
    main()
