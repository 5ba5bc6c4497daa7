"""The directories for the sockets of the system's ssh: those of killed controllers go, and nobody else's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from remotejobs.connections.ssh.openssh_directory import socket_directory, sweep
from tests.awaiting import await_true

CONTROLLER = """
import json, sys
from remotejobs.connections.connect import open_connection
from tests.ssh.asking import SomeHost, ask
connection = open_connection(SomeHost("db2", json.loads(sys.argv[1])), retry_for=0)
ask(connection, "true")
print("in", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory with a name that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="rj-", dir="/tmp") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        yield Path(place)


@contextmanager
def controller(lab: SshLab, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process with a connection that is open."""
    variables = json.dumps({**lab.variables("db2"), "remotejobs_transport": "openssh"})
    words = [sys.executable, "-c", CONTROLLER, variables]
    environment = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"in\n"
            yield process
        finally:
            process.kill()


def test_what_a_killed_controller_left_is_removed_when_its_master_has_ended(lab: SshLab, place: Path) -> None:
    with controller(lab, place) as process:
        sweep(place)
        (left,) = place.glob("rj-ssh-*")
        process.send_signal(signal.SIGKILL)
        process.wait()

        sweep(place)
        assert list(place.glob("rj-ssh-*")) == [left]
        end_master(left)
        await_true(lambda: not (left / "m").exists())
        ours = socket_directory()
        assert list(place.glob("rj-ssh-*")) == [ours.path]
        ours.remove()


def test_the_socket_of_a_master_that_was_killed_too_is_no_hindrance(lab: SshLab, place: Path) -> None:
    with controller(lab, place) as process:
        (left,) = place.glob("rj-ssh-*")
        os.kill(pid_of_master(left), signal.SIGKILL)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert (left / "m").exists()
    # The kernel closes its socket a moment after the signal.
    await_true(lambda: swept(place) == [])


def swept(place: Path) -> list[Path]:
    sweep(place)
    return list(place.iterdir())


def pid_of_master(left: Path) -> int:
    done = subprocess.run(["ssh", "-S", left / "m", "-O", "check", "any"], capture_output=True, text=True, check=True)
    return int(done.stderr.partition("pid=")[2].partition(")")[0])


def end_master(left: Path) -> None:
    subprocess.run(["ssh", "-S", left / "m", "-O", "exit", "any"], capture_output=True, check=True)


def test_nothing_else_is_swept(place: Path) -> None:
    somebody, elsewhere = 65534, place / "elsewhere"
    dead(elsewhere)
    others, open_to_others, unmarked = dead(place / "rj-ssh-other"), dead(place / "rj-ssh-open"), place / "rj-ssh-new"
    os.chown(others, somebody, somebody)
    open_to_others.chmod(0o755)
    unmarked.mkdir(0o700)
    (place / "rj-ssh-link").symlink_to(elsewhere)
    (place / "rj-ssh-file").touch()
    ours = dead(place / "rj-ssh-ours")

    before = set(place.rglob("*"))
    sweep(place)

    assert before - set(place.rglob("*")) == {ours, ours / "owner"}


def dead(directory: Path) -> Path:
    directory.mkdir(0o700)
    (directory / "owner").touch()
    return directory


def test_a_directory_that_two_threads_remove_costs_no_other_file(place: Path) -> None:
    directory = socket_directory()
    directory.remove()
    with (place / "another").open("w") as another:
        directory.remove()
        another.write("still open")
