"""What the system's ssh does with a password: which questions it answers, and which programs never see it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.base import Connection
from remotejobs.connections.ssh.login.askpass import MARKED, answering
from remotejobs.errors import Unreachable
from tests.ssh.asking import ask, said
from tests.ssh.making import run

Connect = Callable[..., Connection]


pytestmark = pytest.mark.transport("openssh")


PASSWORD_ONLY = {"ansible_ssh_private_key_file": None}


@pytest.mark.parametrize("way", ["ProxyJump gate", "ProxyCommand ssh -F {config} -W [%h]:%p gate"])
def test_a_password_is_given_to_no_jump_host(
    connect: Connect, users_lab: SshLab, users: dict[str, LabUser], tmp_path: Path, way: str
) -> None:
    """The ssh to the jump host has the environment of the other one, and asks by the same program."""
    gate, user = users_lab.host("nobody"), users["nobody"]
    config = tmp_path / "config"
    config.write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  User {gate.user}\n  IdentityFile none\n"
        f"  UserKnownHostsFile {users_lab.known_hosts}\nHost 127.0.0.1\n  {way.format(config=config)}\n"
    )
    options = users_lab.variables("asked")["ansible_ssh_common_args"]
    variables = {"ansible_ssh_common_args": f"{options} -F {config}", "ansible_password": user.password}
    before = gate.log.read_text()

    with pytest.raises(Unreachable, match="Permission denied"):
        ask(connect("asked", within=users_lab, retry_for=0, **PASSWORD_ONLY, **variables), "true")
    said_there = gate.log.read_text().removeprefix(before)
    # An empty one is what ssh makes of no answer; this one would have been right.
    assert "Failed password for" in said_there
    assert "Accepted" not in said_there


def test_a_password_is_no_passphrase_and_comes_after_keys_that_want_one(
    connect: Connect, users_lab: SshLab, users: dict[str, LabUser], tmp_path: Path
) -> None:
    for name in ("one", "two", "three"):
        # Of this form only the passphrase shows which key it is.
        run("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PEM", "-N", "a passphrase", "-f", str(tmp_path / name))
        (tmp_path / f"{name}.pub").unlink()
    keys = " ".join(f"-i {tmp_path}/{name}" for name in ("one", "two", "three"))
    variables = {"ansible_ssh_extra_args": keys, "ansible_password": users["asked"].password}

    assert said(ask(connect("asked", within=users_lab, **PASSWORD_ONLY, **variables), "echo in")) == "in\n"


def test_a_password_is_in_no_argument_and_no_environment(
    connect: Connect, users_lab: SshLab, users: dict[str, LabUser], tmp_path: Path
) -> None:
    watched, program = tmp_path / "processes", tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\nps axeww >>{watched}\nexec ssh "$@"\n')
    program.chmod(0o700)
    password = users["asked"].password
    variables = {"ansible_ssh_executable": str(program), "ansible_password": password}

    assert said(ask(connect("asked", within=users_lab, **PASSWORD_ONLY, **variables), "echo in")) == "in\n"
    assert "REMOTEJOBS_ASKER=" in watched.read_text()
    assert password not in watched.read_text()


@pytest.mark.parametrize(
    ("question", "answered"),
    [
        ("root@code-token's password: ", True),
        ("Password: ", True),
        ("(root@new-code) Password: ", True),
        ("(root@db1) password for root: ", True),
        ("(root@db1) Verification code: ", False),
        ("(root@db1) Enter the PIN of your token: ", False),
        ("(root@db1) New password: ", False),
        ("(root@db1) Current password: ", False),
        ("(root@db1) Retype new password: ", False),
        ("root@db1's old password: ", False),
        ("Enter passphrase for key '/root/.ssh/id_ed25519': ", False),
        ("Enter PIN for 'token': ", False),
        ("Are you sure you want to continue connecting (yes/no/[fingerprint])? ", False),
    ],
)
def test_only_a_question_for_the_password_is_answered(tmp_path: Path, question: str, answered: bool) -> None:
    assert asked(tmp_path, [question]) == ["s3cr et\\\n" if answered else ""]


def test_a_question_is_answered_twice_and_then_refused_without_a_wait(tmp_path: Path) -> None:
    assert asked(tmp_path, 3 * ["Password: "]) == ["s3cr et\\\n", "s3cr et\\\n", ""]


def test_a_pin_is_said_once_and_to_the_token_alone(tmp_path: Path) -> None:
    questions = ["root@db1's password: ", "Password: ", *2 * ["Enter PIN for 'token': "]]

    assert asked(tmp_path, questions, as_pin=True) == ["", "", "s3cr et\\\n", ""]


def test_an_ssh_below_the_one_that_was_started_is_not_answered(tmp_path: Path) -> None:
    assert asked(tmp_path, ["Password: "], below="sh") == [""]


def asked(directory: Path, questions: list[str], *, as_pin: bool = False, below: str = "") -> list[str]:
    """What a program in the place of ssh, or one `below` it, is answered."""
    asking = 'for one; do "$SSH_ASKPASS" "$one"; echo "|"; done'
    if below:
        asking = f'{below} -c {shlex.quote(asking)} "$0" "$@"; :'
    with answering(directory, "s3cr et\\", as_pin=as_pin) as environment:
        words = [*MARKED, "sh", "-c", asking, "sh", *questions]
        done = subprocess.run(
            words, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=20
        )
    return done.stdout.split("|\n")[:-1]
