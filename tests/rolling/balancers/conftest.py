"""Two hosts with an inventory, and a balancer's host that is this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.ports import free_ports
from lab.servers.web.haproxy import Haproxy
from remotejobs.agent.shell import Shell
from remotejobs.connections.base import Reply
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import HostRefused, ProtocolError, TimedOut, Unreachable, UsageError
from remotejobs.inventory import Inventory, load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job
from remotejobs.operations.balancers import (
    BalancerStatus,
    Balancing,
    CommandBalancer,
    HaproxyBalancer,
    HttpBalancer,
    LoadBalancer,
    Place,
    PoolServer,
    Reach,
    Standing,
)
from remotejobs.operations.balancers.haproxy import question
from remotejobs.operations.balancers.haproxy_words import QUERY, HaproxyServer, draining, parse, status_of

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
