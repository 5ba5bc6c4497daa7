"""Real sshd for the tests of the connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from lab.servers.dropbear import Dropbear
from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.base import Connection
from remotejobs.connections.connect import open_connection
from tests.ssh.asking import SomeHost

Connect = Callable[..., Connection]
TRANSPORTS = ("paramiko", "openssh")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    with SshLab(tmp_path_factory.mktemp("lab"), ["db1", "db2"]) as lab:
        yield lab


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user who runs the tests may have an ssh_config, keys and an agent; they are no part of them."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is said of a connection holds over paramiko and over the system's ssh, unless a test says why it cannot."""
    if "transport" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("transport")
        metafunc.parametrize("transport", only.args if only else TRANSPORTS)


@pytest.fixture
def connect(lab: SshLab, transport: str) -> Iterator[Connect]:
    """Open a way to a host of the lab; keyword arguments are variables that differ, None takes one away."""
    with ExitStack() as opened:

        def open_to(name: str = "db1", *, within: SshLab = lab, retry_for: float = 30.0, **changes: Any) -> Connection:
            variables = {**within.variables(name), "remotejobs_transport": transport, **changes}
            wanted = {key: value for key, value in variables.items() if value is not None}
            connection = open_connection(SomeHost(name, wanted), retry_for=retry_for)
            opened.callback(connection.close)
            return connection

        yield open_to


@pytest.fixture
def reach(transport: str) -> Iterator[Connect]:
    """Open a way to a dropbear; keyword arguments are variables that differ, None takes one away."""
    opened: list[Connection] = []

    def open_to(dropbear: Dropbear, **changes: str | None) -> Connection:
        variables = {**dropbear.variables(), "remotejobs_transport": transport, **changes}
        host = SomeHost("small", {key: value for key, value in variables.items() if value is not None})
        opened.append(open_connection(host, retry_for=10))
        return opened[-1]

    yield open_to
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def users() -> Iterator[dict[str, LabUser]]:
    """Users of this machine: by login shell, and by what sudo asks of them."""
    everything = "ALL=(ALL) ALL"
    with ExitStack() as made:
        yield {
            user.name.split("-")[1]: made.enter_context(user)
            for user in (
                LabUser.unique("fish", shell="/usr/bin/fish", sudo="ALL=(ALL) NOPASSWD: ALL"),
                LabUser.unique("csh", shell="/bin/csh", sudo="ALL=(ALL) NOPASSWD: ALL"),
                LabUser.unique("asked", shell="/bin/bash", password="a pass'word", sudo=everything),
                LabUser.unique("trusted", shell="/bin/bash", sudo="ALL=(ALL) NOPASSWD: ALL"),
                LabUser.unique("nobody", shell="/bin/bash", password="secret"),
            )
        }


@pytest.fixture(scope="session")
def users_lab(users: dict[str, LabUser], tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    """A lab whose hosts are named for the users who log in there."""
    names = {name: user.name for name, user in users.items()}
    extra = ["PasswordAuthentication yes"]
    with SshLab(tmp_path_factory.mktemp("users_lab"), list(names), users=names, extra_config=extra) as lab:
        yield lab
