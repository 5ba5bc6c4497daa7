"""Hosts for the command line: real sshd on loopback, and this machine twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from faults.host.processes import end_unfinished
from lab.servers.sshd import SshLab
from tests.cli.running import CommandResult, in_a_process, remotejobs


@dataclass(frozen=True)
class Hosts:
    """An inventory of working hosts."""

    inventory: Path
    names: tuple[str, ...]

    def call(self, command: str, *words: str) -> CommandResult:
        """`remotejobs COMMAND all -i INVENTORY WORDS...`"""
        return remotejobs(command, "all", "-i", str(self.inventory), *words)

    def call_in_a_process(self, command: str, *words: str) -> CommandResult:
        """The same, for what is not to wait for its threads at the end, and so ends its process."""
        return in_a_process(command, "all", "-i", str(self.inventory), *words)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    with SshLab(tmp_path_factory.mktemp("lab"), ["db1", "db2", "db3"]) as lab:
        yield lab


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where the hosts of a test have their jobs; what still runs at its end is killed."""
    yield tmp_path
    for base in tmp_path.iterdir():
        end_unfinished(base)


@pytest.fixture
def ssh_hosts(lab: SshLab, place: Path) -> Hosts:
    """Three sshd, with directories for jobs that no other test uses."""
    hosts = {name: lab.variables(name) | {"remotejobs_dir": str(place / name)} for name in lab.names}
    return written(place, hosts)


@pytest.fixture
def local_hosts(place: Path) -> Hosts:
    """This machine under two names."""
    variables = {"ansible_connection": "local"}
    return written(place, {name: variables | {"remotejobs_dir": str(place / name)} for name in ("here", "too")})


@pytest.fixture(params=["local", "ssh"])
def hosts(request: pytest.FixtureRequest) -> Hosts:
    """Both kinds of host, one after the other."""
    found: Hosts = request.getfixturevalue(f"{request.param}_hosts")
    return found


@pytest.fixture
def one_is_gone(place: Path) -> Hosts:
    """A good host beside one where nothing listens."""
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    here = {"ansible_connection": "local", "remotejobs_dir": str(place / "here")}
    return written(place, {"here": here, "gone": gone})


def written(directory: Path, hosts: Mapping[str, Mapping[str, object]]) -> Hosts:
    path = directory / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": dict(hosts)}}, sort_keys=False))
    return Hosts(path, tuple(hosts))
