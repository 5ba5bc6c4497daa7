"""Hosts that are not there, for tests of your own flows and for measuring many: the protocol without its machines.

    fake = FakeHosts()
    fake.plan("pg_dump", Plan(lasts=3600, stdout="dumped\\n"))
    fake.plan("pg_dump", Plan(rc=1, stderr="disk full\\n"), on="db2")
    with Fleet(hosts, connect=fake.connect) as fleet: ...

What is real: the requests and the answers of the protocol, states, output by offsets, attaching, timeouts, locks and
slots, waiting, lists, cleaning, connections that fail. What is left out: no command is run, so nothing of a shell, a
file, a process, sudo or an SSH key is proven; a job's output is what its plan says; a kill always finds the tree empty;
short questions (`Shell`: locks that outlive a job, health checks, reboots) are answered only as `says` plans; files are
not moved. See `docs/how-to/testing.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from remotejobs.renamed import renamed_names
from remotejobs.testing.host import FakeHost
from remotejobs.testing.hosts import FakeHosts, StartedJob
from remotejobs.testing.plan import Plan, Planner

__all__ = ["FakeHost", "FakeHosts", "Plan", "Planner", "StartedJob"]

if not TYPE_CHECKING:  # a misspelt import is to be an error of types
    __getattr__ = renamed_names(__name__, {"Started": "StartedJob"})
