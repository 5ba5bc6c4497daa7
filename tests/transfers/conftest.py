"""Hosts for transfers: real sshd, reached directly or through a proxy that cuts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.proxy import Proxy
from lab.servers.sshd import SshLab
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import Fleet
from remotejobs.operations.transfer import Ends

MIB = 1024 * 1024


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    with SshLab(tmp_path_factory.mktemp("lab"), ["files1", "files2"]) as lab:
        yield lab


@pytest.fixture(scope="session")
def inventory(lab: SshLab) -> Path:
    return lab.write_inventory(lab.directory / "inventory.yml")


@pytest.fixture
def fleet(inventory: Path) -> Iterator[Fleet]:
    with Fleet(load_inventory(inventory).select("all")) as fleet:
        yield fleet


@pytest.fixture
def ends(fleet: Fleet) -> Iterator[Ends]:
    """The end of files1."""
    ends = Ends.of(fleet, "files1")
    yield ends
    ends.files.close()


@pytest.fixture
def proxy(lab: SshLab) -> Iterator[Proxy]:
    """A way to files1 that can be cut."""
    with Proxy(lab.host("files1").port) as proxy:
        yield proxy


@pytest.fixture
def shaky_inventory(lab: SshLab, inventory: Path, proxy: Proxy, tmp_path: Path) -> Path:
    """files1 alone, through the proxy."""
    port = lab.host("files1").port
    known = f"StrictHostKeyChecking=yes -o HostKeyAlias=[127.0.0.1]:{port}"
    text = inventory.read_text().partition("files2:")[0]
    path = tmp_path / "shaky.yml"
    text = text.replace(f"ansible_port: {port}", f"ansible_port: {proxy.port}").replace(
        "StrictHostKeyChecking=yes", known
    )
    path.write_text(text)
    return path


@pytest.fixture
def shaky_fleet(shaky_inventory: Path) -> Iterator[Fleet]:
    with Fleet(load_inventory(shaky_inventory).select("all")) as fleet:
        yield fleet


@pytest.fixture
def shaky_ends(shaky_fleet: Fleet) -> Iterator[Ends]:
    ends = Ends.of(shaky_fleet, "files1")
    yield ends
    ends.files.close()


def random_file(path: Path, mib: int) -> Path:
    """A file that nothing compresses."""
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))
    return path
