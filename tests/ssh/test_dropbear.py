"""dropbear, the SSH server of small systems: logins, jobs and files, and what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from lab.servers.dropbear import Dropbear
from lab.users import LabUser
from remotejobs.connections.base import Connection
from remotejobs.errors import AuthenticationFailed, FileRefused, HostKeyChanged, HostKeyUnknown
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.wait import retry_while_unreachable
from remotejobs.model import Job, State
from remotejobs.operations.transfer.files import files_of
from tests.awaiting import await_true
from tests.ssh.asking import SomeHost, ask, said

Reach = Callable[..., Connection]
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.fixture(scope="module")
def dropbear(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dropbear]:
    with (
        LabUser.unique("dropbear", shell="/bin/bash", password="a pass'word") as user,
        Dropbear(tmp_path_factory.mktemp("dropbear"), user) as dropbear,
    ):
        yield dropbear


@pytest.fixture
def reach(reach: Reach, dropbear: Dropbear) -> Reach:
    """Open a way to it; keyword arguments are variables that differ."""
    return partial(reach, dropbear)


def test_it_lets_a_key_in(reach: Reach, dropbear: Dropbear) -> None:
    assert said(ask(reach(), "id -un")) == f"{dropbear.user.name}\n"


def test_it_lets_a_password_in(reach: Reach, dropbear: Dropbear) -> None:
    connection = reach(ansible_ssh_private_key_file=None, ansible_password=dropbear.user.password)

    assert said(ask(connection, "id -un")) == f"{dropbear.user.name}\n"


def test_it_refuses_a_wrong_password_and_the_password_is_not_shown(reach: Reach) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        ask(reach(ansible_ssh_private_key_file=None, ansible_password="wr0ng"), "true")

    assert "wr0ng" not in str(refused.value)


def test_only_its_own_host_key_is_trusted(reach: Reach, dropbear: Dropbear, tmp_path: Path) -> None:
    known = tmp_path / "known"
    options = f"-o UserKnownHostsFile={known} -o GlobalKnownHostsFile=none"
    known.touch()
    with pytest.raises(HostKeyUnknown):
        ask(reach(ansible_ssh_common_args=options), "true")
    known.write_text(f"{dropbear.known_hosts.read_text().split()[0]} {OTHER}\n")
    with pytest.raises(HostKeyChanged):
        ask(reach(ansible_ssh_common_args=options), "true")


def test_many_questions_share_one_connection(reach: Reach) -> None:
    connection = reach()

    # One more than one: where it closed a session unasked, a new connection is tried.
    assert len({said(ask(connection, "echo $PPID")) for _ in range(5)}) <= 2


def test_a_job_is_started_polled_and_killed_with_proof(reach: Reach, dropbear: Dropbear, transport: str) -> None:
    jobs = HostJobs(reach())
    short, long = f"short-{transport}", f"long-{transport}"
    # It closed 6 of 400 sessions before the shell had said anything.
    asked = partial(retry_while_unreachable, contact_timeout=30)
    asked(lambda: jobs.start(Job(jid=short, cmd="id -un")))
    await_true(lambda: asked(lambda: jobs.record(short)).finished)
    record = asked(lambda: jobs.record(short))
    assert (record.state, record.stdout) == (State.SUCCEEDED, f"{dropbear.user.name}\n".encode())

    asked(lambda: jobs.start(Job(jid=long, cmd="trap '' TERM HUP; sleep 600", grace=0)))
    assert asked(lambda: jobs.record(long)).state is State.RUNNING
    killed = asked(lambda: jobs.kill(long))
    assert (killed.state, killed.msg) == (State.KILLED, "killed on request; its process tree is proven empty")


def test_files_are_moved_where_an_sftp_server_is_installed(dropbear: Dropbear, transport: str) -> None:
    files = files_of(SomeHost("small", {**dropbear.variables(), "remotejobs_transport": transport}))
    content, got = b"0123456789" * 20_000, bytearray()
    sent = [content]
    try:
        path = files.absolute(f"~/there-{transport}")
        files.append(path, lambda _: sent.pop() if sent else b"", 0, lambda _: None)
        files.fetch(path, got.extend, 0, len(content), lambda _: None)
    finally:
        files.close()

    assert got == content


@pytest.fixture(scope="module")
def bare(dropbear: Dropbear, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dropbear]:
    """The same user on a machine without an SFTP server."""
    with Dropbear(tmp_path_factory.mktemp("bare"), dropbear.user, sftp=False) as bare:
        yield bare
    # The key of the other one lets in again.
    dropbear.authorize()


def test_without_an_sftp_server_a_transfer_says_what_to_install(bare: Dropbear, transport: str) -> None:
    files = files_of(SomeHost("small", {**bare.variables(), "remotejobs_transport": transport}))

    with pytest.raises(FileRefused, match="small: there is no SFTP server.*Install one .*openssh-sftp-server"):
        files.size("/etc/hostname")
    files.close()
