"""Whatever the login shell is, the script is run by sh."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.servers.sshd import SshLab
from remotejobs.connections.base import Become, Connection
from tests.ssh.asking import ask, said

Connect = Callable[..., Connection]
SCRIPT = 'x=\'a!b $HOME "c"\'; case $0 in *sh) echo "$x";; esac'


@pytest.mark.parametrize("shell", ["fish", "csh"])
def test_a_script_for_sh_runs_under_another_login_shell(connect: Connect, users_lab: SshLab, shell: str) -> None:
    connection = connect(shell, within=users_lab)

    assert said(ask(connection, SCRIPT)) == 'a!b $HOME "c"\n'
    assert shell in said(ask(connection, "echo $SHELL")), "the login shell is another, so this shows nothing"


@pytest.mark.parametrize("shell", ["fish", "csh"])
@pytest.mark.parametrize("password", [None, "not asked for"])
def test_sudo_works_under_another_login_shell(
    connect: Connect, users_lab: SshLab, shell: str, password: str | None
) -> None:
    reply = ask(connect(shell, within=users_lab), f"{SCRIPT}; id -un", become=Become("root", password))

    assert said(reply) == 'a!b $HOME "c"\nroot\n'
