"""What `remotejobs run` takes of its controller while many hosts work, beside an earlier build, in turn.

    python -m bench.command_line [--simulated 1000,10000] [--sshd 200,1000] [--before COMMIT] [--write]

Simulated hosts (`bench.simulated_run`) are in the very process that is measured, and their work is counted in; SSH is
left out. On real sshd, each job says when it ends by the clock that it shares with the controller.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from bench.documents import PROJECT, machine, put, say, table
from bench.earlier import comparison_parser, trees_beside
from bench.engine import hosts
from bench.scale import lag

BEFORE = "01697ea"  # the last build in which each host of a run held a thread
SLEEP = 60  # seconds of a job on real sshd: longer than it takes to start all
_SAMPLED_EVERY = 0.2  # seconds


@dataclass(slots=True)
class RunFigures:
    """Seconds of CPU time, MiB and threads at the most; `lags`: seconds from each end until it was printed."""

    cpu: float = 0.0
    memory: float = 0.0
    threads: int = 0
    lags: list[float] = field(default_factory=list)


def measured(words: list[str], tree: Path) -> RunFigures:
    """A run by the package of this tree, which prints a line for each host."""
    found = RunFigures()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": f"{tree}:{PROJECT}"}
    with subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, env=environment, cwd=tree) as run:
        assert run.stdout
        with _sampled(run.pid, found):
            for line in run.stdout:
                end = json.loads(line)
                found.lags.append(time() - float(end["stdout"]))
            _, status, used = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, words)
    found.cpu = used.ru_utime + used.ru_stime
    return found


@contextmanager
def _sampled(pid: int, found: RunFigures) -> Iterator[None]:
    over = threading.Event()

    def sample() -> None:
        while not over.wait(_SAMPLED_EVERY):
            try:
                text = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                return
            values = dict(line.split(":", 1) for line in text.splitlines())
            if "VmHWM" in values:
                found.memory = int(values["VmHWM"].split()[0]) / 1024
                found.threads = max(found.threads, int(values["Threads"]))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def rows(simulated: list[int], sshd: list[int], trees: Mapping[str, Path]) -> Iterator[tuple[str, str, RunFigures]]:
    for size in simulated:
        for build, tree in trees.items():
            say(f"{size} simulated hosts, {build}")
            yield f"{size:,} simulated hosts", build, measured(["bench.simulated_run", str(size)], tree)
    for size in sshd:
        with hosts(size) as inventory:
            for build, tree in trees.items():
                say(f"{size} real sshd, {build}")
                words = ["remotejobs", "run", "all", "-i", str(inventory), "--json", "-P", "15"]
                words += ["--", f"sleep {SLEEP}; date +%s.%N"]
                yield f"{size:,} real sshd", build, measured(words, tree)


def figures_table(found: list[tuple[str, str, RunFigures]]) -> str:
    head = ["`remotejobs run` on", "build", "threads", "peak memory", "CPU, whole process", "end known after"]
    cells = [
        (
            what,
            build,
            f"{row.threads:,}",
            f"{row.memory:.0f} MiB",
            f"{row.cpu:.1f} s",
            lag(tuple(row.lags)),
        )
        for what, build, row in found
    ]
    return table(head, cells)


def main() -> None:
    parser = comparison_parser(__doc__, "bench.command_line", BEFORE, runs=1)
    parser.add_argument("--simulated", default="1000,10000", help="numbers of simulated hosts")
    parser.add_argument("--sshd", default="200,1000", help="numbers of real sshd")
    options = parser.parse_args()
    simulated, sshd = ([int(size) for size in given.split(",") if size] for given in (options.simulated, options.sshd))
    with trees_beside(options.before, "before") as trees:
        found = list(rows(simulated, sshd, trees))
    text = f"One run each, in turn: {machine('paramiko')}.\n\n{figures_table(found)}\n"
    print(text)
    if options.write:
        put("command line", text)


if __name__ == "__main__":
    main()
