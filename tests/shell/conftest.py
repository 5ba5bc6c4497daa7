"""The agent alone, without SSH, under the shells that it must run under.

`jobs` is a host whose `sh` is dash, and then one whose `sh` is busybox: the two shells that hosts have most often, and
the two that have least. A test is marked `@in_every_shell`, and runs under bash, mksh and yash too, where it shows what
shells do each in their own way: reading quotes and bytes, traps and signals, waiting and the status of what was waited
for, FIFOs and which process holds them open, exec, `set -C`, arithmetic. What follows from the files of a job, whatever
the shell (most of what is reported of a job, and which job waits for which), needs no more than the two; what is about
other programs or about the kernel needs one, `dash`. Every function of the agent is run under every shell by some test,
but for the two that ask systemd for a unit, which are run where there is one (tests/vm).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remotejobs.jobs.client import HostJobs
from tests.shell.shells import host_jobs, shell_path


@pytest.fixture(params=["dash", "busybox"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HostJobs]:
    """The jobs of a host with that shell; what still runs at the end is killed."""
    yield from host_jobs(tmp_path, shell_path(tmp_path / "bin", request.param))


@pytest.fixture
def dash(tmp_path: Path) -> Iterator[HostJobs]:
    """One shell is enough for what does not depend on it."""
    yield from host_jobs(tmp_path, shell_path(tmp_path / "bin", "dash"))
