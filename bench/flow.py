"""One run of the flow run-command on so many simulated hosts, against the Prefect server of PREFECT_API_URL.

    python -m bench.flow 1000 --delay 1 [--group 1]

prints what it took, as JSON. The hosts are as in `bench.core`; Prefect's client, its tasks and its server are real.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.core import end_of, peak_memory, simulated
from flows.run_command import run_command
from remotejobs.fake import FakeHosts
from tasks.access import Access
from tasks.connections import reached_by
from tasks.until import Until


@dataclass(frozen=True, slots=True)
class Flown:
    """Seconds of wall and CPU time, MiB at the highest, threads; when each attempt ended; `lags` until each end was
    in the log, which is when the flow knows it. `started` is seconds until the last job was started."""

    run: str
    hosts: int
    wall: float
    cpu: float
    memory: float
    threads: int
    started: float
    attempts: tuple[float, ...]
    lags: tuple[float, ...]


class Heard(logging.Handler):
    """What the task runs log, with the time."""

    def __init__(self, fake: FakeHosts) -> None:
        super().__init__(logging.INFO)
        self.attempts: list[float] = []
        self.lags: list[float] = []
        self.started = 0.0
        self.threads = 0
        self._fake = fake

    def emit(self, record: logging.LogRecord) -> None:
        line, now = record.getMessage(), time.monotonic()
        if line.startswith("started job"):
            self.started = now
        elif line.startswith(("Task run failed with exception", "Finished in state")):
            self.attempts.append(now)
            self.threads = max(self.threads, threading.active_count())
        elif found := re.match(r"bench on (h\d+): succeeded", line):
            self.lags.append(now - end_of(self._fake, found[1]))


@contextmanager
def heard(fake: FakeHosts) -> Iterator[Heard]:
    handler, logger = Heard(fake), logging.getLogger("prefect.task_runs")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def fly(count: int, delay: float, group: int) -> Flown:
    fake, until = simulated(count), Until(retries=3600, delay=delay)
    with tempfile.TemporaryDirectory(prefix="rj-bench-") as name, reached_by(fake.connect), heard(fake) as log:
        inventory = Path(name) / "hosts.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {f"h{number}": None for number in range(count)}}}))
        access = Access(inventory=str(inventory))
        began, cpu = time.monotonic(), time.process_time()
        state = run_command(access, "all", "x", label="bench", until=until, group=group, return_state=True)
        assert state.is_completed(), state
        return Flown(
            run=str(state.state_details.flow_run_id),
            hosts=count,
            wall=time.monotonic() - began,
            cpu=time.process_time() - cpu,
            memory=peak_memory(),
            threads=log.threads,
            started=log.started - began,
            attempts=tuple(at - began for at in log.attempts),
            lags=tuple(log.lags),
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.flow", description=__doc__)
    parser.add_argument("hosts", type=int)
    parser.add_argument("--delay", type=float, default=15)
    parser.add_argument("--group", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(asdict(fly(options.hosts, options.delay, options.group))))


if __name__ == "__main__":
    main()
