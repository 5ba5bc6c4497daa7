"""Whole scenarios, on the hosts, PostgreSQL and Prefect server that all flows share."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab.servers.sshd import SshLab
from remotejobs.prefect.tasks.access import Access


@pytest.fixture(scope="session", autouse=True)
def with_a_server(prefect_server: Path) -> None:
    """Every flow and task here runs against it."""


@pytest.fixture
def own_jobs(access: Access, lab: SshLab, tmp_path: Path) -> Access:
    """The same hosts with directories for jobs that no other test uses: `tmp_path`/HOST."""
    variables = {host: lab.variables(host) | {"remotejobs_dir": str(tmp_path / host)} for host in lab.names}
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": variables}}))
    return Access(inventory=str(path))
