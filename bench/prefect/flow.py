"""One run of the flow run-command on so many hosts, against the Prefect server of PREFECT_API_URL.

    python -m bench.prefect.flow 1000 [--delay 1] [--group 1] [--inventory FILE]

prints what it took, as JSON. The hosts are simulated as in `bench.core`, or those of FILE; all else is real.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.core import end_of, peak_memory, simulated
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import reached_by
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.runs.options import RunOptions

SLEEP = 60  # seconds, of a job on a real host: all are started before the first ends
Ended = Callable[[str, str], float]  # of a host's name and its job's last words: when that ended, by our clock


@dataclass(frozen=True, slots=True)
class Flown:
    """Seconds of wall and CPU time, MiB at the highest, threads; when each attempt ended; `lags` until each end was
    in the log, which is when the flow knows it. `started` and `start_cpu` are the seconds, of wall and of CPU time,
    until the last job was started."""

    run: str
    hosts: int
    wall: float
    cpu: float
    memory: float
    threads: int
    started: float
    start_cpu: float
    attempts: tuple[float, ...]
    lags: tuple[float, ...]


class LogTimes(logging.Handler):
    """What the task runs log, with the time."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(logging.INFO)
        self.attempts: list[float] = []
        self.lags: list[float] = []
        self.started = 0.0
        self.start_cpu = 0.0
        self.threads = 0
        self._ended = ended

    def emit(self, record: logging.LogRecord) -> None:
        line, now = record.getMessage(), time.monotonic()
        if line.startswith("started job"):
            self.started, self.start_cpu = now, time.process_time()
        elif line.startswith(("Task run failed with exception", "Finished in state")):
            self.attempts.append(now)
            self.threads = max(self.threads, threading.active_count())
        elif found := re.match(r"bench on (h\d+): succeeded .*?([\d.]*)$", line):
            self.lags.append(now - self._ended(*found.groups()))


@contextmanager
def heard(ended: Ended) -> Iterator[LogTimes]:
    handler, logger = LogTimes(ended), logging.getLogger("prefect.task_runs")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def simulated_run(count: int, until: Until, group: int) -> Flown:
    fake = simulated(count)
    with tempfile.TemporaryDirectory(prefix="rj-bench-") as name, reached_by(fake.connect):
        inventory = Path(name) / "hosts.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {f"h{number}": None for number in range(count)}}}))
        return run(count, inventory, "x", until, group, lambda host, _: end_of(fake, host))


def real_run(count: int, inventory: Path, until: Until, group: int) -> Flown:
    """The hosts are on this machine, so that a job can say by the same clock when it ended."""
    ahead = time.time() - time.monotonic()
    return run(count, inventory, f"sleep {SLEEP}; date +%s.%N", until, group, lambda _, said: float(said) - ahead)


def run(count: int, inventory: Path, command: str, until: Until, group: int, ended: Ended) -> Flown:
    with heard(ended) as log:
        access = Access(inventory=str(inventory))
        began, cpu = time.monotonic(), time.process_time()
        options = RunOptions(group=group)
        state = run_command(access, "all", command, label="bench", until=until, run=options, return_state=True)
        assert state.is_completed(), state
        return Flown(
            run=str(state.state_details.flow_run_id),
            hosts=count,
            wall=time.monotonic() - began,
            cpu=time.process_time() - cpu,
            memory=peak_memory(),
            threads=log.threads,
            started=log.started - began,
            start_cpu=log.start_cpu - cpu,
            attempts=tuple(at - began for at in log.attempts),
            lags=tuple(log.lags),
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.prefect.flow", description=__doc__)
    parser.add_argument("hosts", type=int)
    parser.add_argument("--delay", type=float, default=15)
    parser.add_argument("--group", type=int, default=0)
    parser.add_argument("--inventory", type=Path, help="real hosts, on this machine")
    options = parser.parse_args()
    until = Until(retries=3600, delay=options.delay)
    if options.inventory:
        flown = real_run(options.hosts, options.inventory, until, options.group)
    else:
        flown = simulated_run(options.hosts, until, options.group)
    print(json.dumps(asdict(flown)))


if __name__ == "__main__":
    main()
