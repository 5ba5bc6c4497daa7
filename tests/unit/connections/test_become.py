"""Which user to become, by the inventory and by the caller."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from remotejobs.connections.base import Become
from remotejobs.connections.become import WRAPPER, become_for, sudo_words
from remotejobs.connections.connect import open_connection
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import UsageError
from tests.ssh.asking import SomeHost


def host(**variables: Any) -> SomeHost:
    return SomeHost(variables=variables)


def test_nobody_is_become_unless_asked() -> None:
    assert become_for(host()) is None
    assert become_for(host(ansible_become="no", ansible_become_user="postgres")) is None
    assert become_for(host(ansible_become=True), become=False) is None


def test_the_inventory_names_the_user_and_the_caller_wins() -> None:
    there = host(ansible_become="yes", ansible_become_user="postgres", ansible_become_password="p1")

    assert become_for(there) == Become("postgres", "p1")
    assert become_for(there, user="backup", password="p2") == Become("backup", "p2")
    assert become_for(host(), become=True) == Become("root", None)


@pytest.mark.parametrize(
    "variables",
    [
        {"ansible_become_method": "su"},
        {"ansible_become_user": "-s"},
        {"ansible_become_user": "a b"},
        {"ansible_become_user": "#0"},
        {"ansible_become_user": "CORP\\"},
        {"ansible_become_user": "a\\\\b"},
        {"ansible_become_user": "$(id)"},
        {"ansible_become_password": "two\nlines"},
        {"ansible_become": "perhaps"},
    ],
)
def test_what_sudo_cannot_do_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(UsageError) as refused:
        become_for(host(**{"ansible_become": True, **variables}))
    assert "two" not in str(refused.value)


def test_the_command_is_always_the_same() -> None:
    assert sudo_words(Become("u")) == ["sudo", "-H", "-u", "u", "-n", "--", "sh", "-c", WRAPPER]
    assert sudo_words(Become("u", "p")) == [
        *["sudo", "-H", "-u", "u", "-S", "-p", "remotejobs-password:", "--", "sh", "-c", WRAPPER]
    ]


def test_the_wrapper_needs_no_quoting_in_any_shell() -> None:
    assert not set(WRAPPER) & set("'!\\\n")


def test_the_connection_is_chosen_by_ansible_connection() -> None:
    assert isinstance(open_connection(host(ansible_connection="local")), LocalConnection)
    assert open_connection(host(ansible_connection="smart")).host == "db1"
    with pytest.raises(UsageError, match="db1: ansible_connection is 'docker'"):
        open_connection(host(ansible_connection="docker"))


def test_paramiko_is_imported_only_for_ssh() -> None:
    program = "import sys, remotejobs, remotejobs.connections.connect; sys.exit('paramiko' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("program", ["/usr/local/bin/sudo", "sudo-rs"])
def test_another_sudo_is_run_where_the_inventory_names_one(program: str) -> None:
    chosen = become_for(host(ansible_become=True, ansible_become_exe=program, ansible_become_flags="-H -S -n"))
    assert chosen
    assert sudo_words(chosen)[0] == program


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ansible_become_exe": "sudo -i"}, "db1: ansible_become_exe is 'sudo -i'"),
        ({"ansible_become_exe": "-x"}, "ansible_become_exe is '-x'"),
        ({"ansible_become_flags": "-E -H"}, "ansible_become_flags is '-E -H'. sudo is given -H"),
        ({"ansible_become_flags": "'"}, "ansible_become_flags is not whole"),
    ],
)
def test_what_ansible_would_give_sudo_and_we_cannot_is_refused_by_name(variables: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        become_for(host(ansible_become=True, **variables))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ansible_shell_type": "powershell"}, "db1: ansible_shell_type is 'powershell'. Jobs run under sh"),
        ({"ansible_ssh_executable": "/opt/tsh"}, "ansible_ssh_executable is '/opt/tsh', .*transport: openssh"),
    ],
)
def test_other_programs_on_the_way_are_refused_by_name(variables: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_connection(host(**variables))
    assert isinstance(open_connection(host(ansible_connection="local", ansible_shell_type="fish")), LocalConnection)
