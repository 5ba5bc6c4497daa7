"""One process watches so many simulated hosts, as groups do it but without Prefect; prints what it took, as JSON.

    python -m bench.core 1000

The hosts are `remotejobs.testing`, in this very process: all of the controller is real, the threads and the waiting
too. What is left out is SSH itself (connecting, keys, encryption) and the hosts' own work; the fake's work is
counted in.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from remotejobs.connections.resource_limits import ensure_resource_limits
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import DEFAULT_FORKS, Fleet, each_of
from remotejobs.jobs.watch import JobWatch
from remotejobs.model import Job
from remotejobs.testing import FakeHosts, Plan

STARTS_A_SECOND = 200  # at least; no job ends before all are started, for until then nothing waits for its end
ENDS_A_SECOND = 50  # so many jobs end in each second, so that the delay of one is not that of a crowd


@dataclass(frozen=True, slots=True)
class CoreFigures:
    """What it took: seconds of wall and CPU time, MiB at the highest, threads; `lags`: from each end until known."""

    hosts: int
    start_wall: float
    start_cpu: float
    watch_cpu: float
    memory: float
    threads: int
    lags: tuple[float, ...]


def simulated(count: int) -> FakeHosts:
    """Hosts named h0, h1, ...: their jobs end one after the other, so many a second."""
    lead, spread = 5 + count / STARTS_A_SECOND, count / ENDS_A_SECOND
    return FakeHosts(lambda host, _: Plan(lasts=lead + spread * int(host[1:]) / count), real_time=True)


def names(count: int) -> str:
    """The inventory of so many hosts."""
    return ",".join(f"h{number}" for number in range(count))


def end_of(fake: FakeHosts, host: str) -> float:
    """When the one job of `host` ended, by `time.monotonic()`."""
    (job,) = fake.host(host).jobs()
    assert job.end is not None
    return job.end.at


def peak_memory() -> float:
    """MiB of this process at the highest; rusage would include what its parent had when it was forked."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def watch(count: int) -> CoreFigures:
    fake = simulated(count)
    job = Job(jid="bench", cmd="sleep", label="bench")
    ensure_resource_limits(count)
    with Fleet(load_inventory(names(count)).select("all"), connect=fake.connect) as fleet:
        wall, cpu = time.perf_counter(), time.process_time()
        for outcome in each_of(fleet.hosts, lambda name: fleet.jobs(name).start(job), workers=DEFAULT_FORKS):
            assert outcome.value, outcome.error
        start_wall, start_cpu = time.perf_counter() - wall, time.process_time() - cpu
        cpu = time.process_time()
        watched = JobWatch({name: [job.jid] for name in fleet.hosts}, fleet.jobs)
        threads = threading.active_count()
        lags = tuple(time.monotonic() - end_of(fake, news.host) for news in watched.news(within=3600))
        watch_cpu = time.process_time() - cpu
    return CoreFigures(count, start_wall, start_cpu, watch_cpu, peak_memory(), threads, lags)


if __name__ == "__main__":
    print(json.dumps(asdict(watch(int(sys.argv[1])))))
