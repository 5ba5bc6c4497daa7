"""Two hosts with an inventory, and a balancer's host that is this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.connections.local import LocalConnection
from remotejobs.inventory import Inventory, load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.operations.balancers import (
    Reach,
)

HOSTS = "all:\n  hosts:\n    web1: {ansible_host: 192.0.2.1, app_port: 8080}\n    web2:\n"


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    path = tmp_path / "inventory.yml"
    path.write_text(HOSTS)
    return load_inventory(path)


@pytest.fixture
def reach(tmp_path: Path) -> Reach:
    """The balancer's host is this machine."""
    return Reach(
        shell=lambda name: Shell(LocalConnection(name)),
        jobs=lambda name: HostJobs(LocalConnection(name), directory=str(tmp_path / "jobs")),
    )
