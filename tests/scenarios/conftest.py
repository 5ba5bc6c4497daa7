"""The same hosts, PostgreSQL and Prefect server as the flows' tests have."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab.sshd import SshLab
from tasks.access import Access
from tests.flows.conftest import access, go, lab, postgres, prefect_server, task_log, webhook

__all__ = ["access", "go", "lab", "postgres", "prefect_server", "task_log", "webhook"]


@pytest.fixture
def own_jobs(access: Access, lab: SshLab, tmp_path: Path) -> Access:
    """The same hosts with directories for jobs that no other test uses: `tmp_path`/HOST."""
    variables = {host: lab.variables(host) | {"remotejobs_dir": str(tmp_path / host)} for host in lab.names}
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": variables}}))
    return Access(inventory=str(path))
