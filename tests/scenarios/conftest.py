"""The same hosts, PostgreSQL and Prefect server as the flows' tests have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.sshd import SshLab
from lab.webhook import Webhook
from tasks.access import Access
from tests.flows.conftest import access, go, lab, postgres, prefect_server, task_log

__all__ = ["access", "go", "lab", "postgres", "prefect_server", "task_log"]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as webhook:
        yield webhook


@pytest.fixture
def own_jobs(access: Access, lab: SshLab, request: pytest.FixtureRequest) -> Access:
    """The same hosts with a directory for jobs that no other test uses."""
    name = request.node.name[:60]
    variables = {host: lab.variables(host) | {"remotejobs_dir": f"~/{name}"} for host in lab.names}
    return write(lab, f"{name}.yml", variables)


def write(lab: SshLab, name: str, variables: dict[str, dict[str, object]]) -> Access:
    import yaml

    path = lab.directory / name
    path.write_text(yaml.safe_dump({"all": {"hosts": variables}}))
    return Access(inventory=str(path))
