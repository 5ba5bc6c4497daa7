"""dropbear that wants two factors, and dropbear as the door to other hosts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.servers.dropbear import Dropbear
from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.base import Connection
from remotejobs.errors import AuthenticationFailed, HostKeyUnknown, Unreachable
from tests.ssh.asking import ask, said

Connect = Callable[..., Connection]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dropbear]:
    """It wants the key and then the password."""
    with (
        LabUser.unique("factors", shell="/bin/bash", password="a pass'word") as user,
        Dropbear(tmp_path_factory.mktemp("strict"), user, both_factors=True) as dropbear,
    ):
        yield dropbear


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dropbear]:
    with (
        LabUser.unique("door", shell="/bin/bash", password="the door's") as user,
        Dropbear(tmp_path_factory.mktemp("door"), user) as dropbear,
    ):
        yield dropbear


def test_it_lets_in_by_the_key_and_the_password(reach: Connect, strict: Dropbear) -> None:
    connection = reach(strict, ansible_password=strict.user.password)

    assert said(ask(connection, "id -un")) == f"{strict.user.name}\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, r"the server accepts password|Permission denied \(password\)"),
        ({"ansible_password": "wr0ng"}, r"tried: .*the password|Permission denied \(.*password\)"),
        (
            {"ansible_password": "a pass'word", "ansible_ssh_private_key_file": None},
            r"the server accepts (publickey|password)|Permission denied \(publickey",
        ),
    ],
)
def test_one_of_the_two_is_not_enough(
    reach: Connect, strict: Dropbear, changes: dict[str, str | None], words: str
) -> None:
    with pytest.raises(AuthenticationFailed, match=words) as refused:
        ask(reach(strict, **changes), "true")
    assert not re.search("wr0ng|a pass'word", str(refused.value))


def through(door: Dropbear, directory: Path, **changes: str) -> str:
    """The -F of an ssh_config by which every other host is reached through the door."""
    settings = {
        "HostName": "127.0.0.1",
        "Port": str(door.port),
        "User": door.user.name,
        "IdentityFile": str(door.private_key),
        "UserKnownHostsFile": str(door.known_hosts),
        **changes,
    }
    config = directory / "config"
    lines = [f"  {key} {value}" for key, value in settings.items()]
    config.write_text("\n".join(["Host door", *lines, "Host 127.0.0.1", "  ProxyJump door", ""]))
    return f"-F {config}"


def test_an_sshd_is_reached_through_a_dropbear(connect: Connect, lab: SshLab, door: Dropbear, tmp_path: Path) -> None:
    before = door.log.read_text().count("Pubkey auth succeeded")
    connection = connect("db1", ansible_ssh_extra_args=through(door, tmp_path))

    assert said(ask(connection, "echo $HOME")) == f"{lab.host('db1').home}\n"
    assert len(said(ask(connection, "head -c 3000000 /dev/zero"))) == 3000000
    assert door.log.read_text().count("Pubkey auth succeeded") == before + 1


def test_a_dropbear_with_two_factors_is_reached_through_another(
    reach: Connect, strict: Dropbear, door: Dropbear, tmp_path: Path
) -> None:
    variables = {"ansible_password": strict.user.password, "ansible_ssh_extra_args": through(door, tmp_path)}

    assert said(ask(reach(strict, **variables), "id -un")) == f"{strict.user.name}\n"


def test_the_key_of_a_door_is_checked_as_strictly(connect: Connect, door: Dropbear, tmp_path: Path) -> None:
    connection = connect("db1", ansible_ssh_extra_args=through(door, tmp_path, UserKnownHostsFile="none"))

    with pytest.raises(HostKeyUnknown, match="db1: "):
        ask(connection, "true")


def test_a_door_that_lets_nobody_in_is_reported(connect: Connect, door: Dropbear, tmp_path: Path) -> None:
    options = through(door, tmp_path, IdentityFile="none", IdentitiesOnly="yes")

    with pytest.raises(Unreachable, match=r"refused user rjlab-door|Permission denied \(publickey"):
        ask(connect("db1", retry_for=0, ansible_ssh_extra_args=options), "true")
