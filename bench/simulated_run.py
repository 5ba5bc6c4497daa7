"""`remotejobs run` on so many simulated hosts, in this very process: each prints as JSON when its job has ended.

    python -m bench.simulated_run 1000

All of the command line is real. What a job writes is when it ends, in seconds since 1970.
"""

from __future__ import annotations

import sys
import time

from bench.core import ENDS_A_SECOND, STARTS_A_SECOND, names
from remotejobs.cli import main
from remotejobs.jobs.fleet import Fleet
from remotejobs.testing import FakeHosts, Plan


def simulated(count: int) -> FakeHosts:
    """As those of `bench.core`, and each job says when it ends."""
    lead = 5 + count / STARTS_A_SECOND

    def plan(host: str, _command: str) -> Plan:
        lasts = lead + int(host[1:]) / ENDS_A_SECOND
        return Plan(lasts=lasts, stdout=f"{time.time() + lasts}\n")

    return FakeHosts(plan, real_time=True)


if __name__ == "__main__":
    hosts = int(sys.argv[1])
    defaults = Fleet.__init__.__kwdefaults__
    assert defaults
    defaults["connect"] = simulated(hosts).connect
    sys.exit(main(["run", "all", "-i", names(hosts), "--json", "-P", "15", "--", "sleep"]))
