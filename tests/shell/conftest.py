"""The shell half alone, under every shell that it must run under, without SSH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remotejobs.jobs import HostJobs
from tests.shell.shells import SHELLS, host_jobs, shell_path


@pytest.fixture(params=SHELLS)
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HostJobs]:
    """The jobs of a host with that shell; what still runs at the end is killed."""
    yield from host_jobs(tmp_path, shell_path(tmp_path / "bin", request.param))


@pytest.fixture
def dash(tmp_path: Path) -> Iterator[HostJobs]:
    """One shell is enough for what does not depend on it."""
    yield from host_jobs(tmp_path, shell_path(tmp_path / "bin", "dash"))
