"""Options of ssh_config that change which login succeeds, or where, are honoured on the wire."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.base import Connection
from remotejobs.errors import AuthenticationFailed, HostKeyChanged, HostKeyUnknown, TimedOut, UsageError
from tests.ssh.asking import BY_PARAMIKO, ask, said

Connect = Callable[..., Connection]


def with_options(lab: SshLab, name: str, *options: str) -> dict[str, str]:
    common = lab.variables(name)["ansible_ssh_common_args"]
    return {"ansible_ssh_common_args": " ".join([common, *(f"-o '{option}'" for option in options)])}


def test_a_method_that_is_switched_off_is_not_tried(
    connect: Connect, users_lab: SshLab, users: dict[str, LabUser]
) -> None:
    password = users["asked"].password
    without_keys = with_options(users_lab, "asked", "PubkeyAuthentication=no")
    without_passwords = with_options(users_lab, "asked", "PasswordAuthentication=no", "PubkeyAuthentication=no")

    assert said(ask(connect("asked", within=users_lab, ansible_password=password, **without_keys), "echo in")) == "in\n"
    with pytest.raises(AuthenticationFailed, match="tried: nothing|Permission denied"):
        ask(connect("asked", within=users_lab, ansible_password=password, **without_passwords), "true")


def test_the_preferred_order_is_kept(connect: Connect, users_lab: SshLab, tmp_path: Path) -> None:
    options = with_options(users_lab, "asked", "PreferredAuthentications=password,publickey")
    connection = connect("asked", within=users_lab, ansible_password="wrong", **options)

    assert said(ask(connection, "echo in")) == "in\n"
    options = with_options(users_lab, "asked", "PreferredAuthentications=password")
    with pytest.raises(AuthenticationFailed, match=r"tried: the password[;.]|Permission denied"):
        ask(connect("asked", within=users_lab, ansible_password="wrong", **options), "true")


def test_only_the_kinds_of_host_keys_that_are_named_are_taken(connect: Connect, lab: SshLab) -> None:
    connection = connect(**with_options(lab, "db1", "HostKeyAlgorithms=rsa-sha2-512"))
    offers = "no HostKeyAlgorithms in common: .* offers ssh-ed25519; here .* rsa-sha2-512|Their offer: ssh-ed25519"

    with pytest.raises(Exception, match=offers):
        ask(connection, "true")


@BY_PARAMIKO
def test_a_list_of_which_nothing_exists_here_is_refused_by_name(connect: Connect, lab: SshLab) -> None:
    """Over paramiko alone: ssh has that cipher."""
    with pytest.raises(
        UsageError, match="db1: Ciphers chacha20-poly1305@openssh.com leaves none of those that there are"
    ):
        ask(connect(**with_options(lab, "db1", "Ciphers=chacha20-poly1305@openssh.com")), "true")


def test_a_small_rsa_key_is_not_used(connect: Connect, lab: SshLab, tmp_path: Path) -> None:
    key = tmp_path / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key], check=True)
    options = with_options(lab, "db1", "RequiredRSASize=3072")

    with pytest.raises(AuthenticationFailed, match=rf"{key} \(RequiredRSASize wants 3072 bits\)|Permission denied"):
        ask(connect(ansible_ssh_private_key_file=str(key), **options), "true")


def test_a_known_hosts_command_vouches_for_the_host(connect: Connect, lab: SshLab, tmp_path: Path) -> None:
    nothing = "-o UserKnownHostsFile=none -o GlobalKnownHostsFile=none"
    good = f"{nothing} -o 'KnownHostsCommand=/bin/grep -F %H {lab.known_hosts}'"
    bad = f"{nothing} -o 'KnownHostsCommand=/bin/ls /no/such'"

    assert said(ask(connect(ansible_ssh_common_args=good), "echo in")) == "in\n"
    with pytest.raises(
        HostKeyUnknown, match="KnownHostsCommand /bin/ls: it failed .*No such file|/bin/ls /no/such failed"
    ):
        ask(connect(ansible_ssh_common_args=bad), "true")


def test_names_are_hashed_where_they_are_learnt(connect: Connect, lab: SshLab, tmp_path: Path) -> None:
    known = tmp_path / "known"
    options = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=accept-new -o HashKnownHosts=yes"
    for _ in range(2):
        ask(connect(ansible_ssh_common_args=options), "true")

    (line,) = known.read_text().splitlines()
    assert line.startswith("|1|")
    assert said(ask(connect(ansible_ssh_common_args=options.replace("accept-new", "yes")), "echo in")) == "in\n"


@BY_PARAMIKO
def test_the_address_must_not_speak_against_the_key(connect: Connect, lab: SshLab, tmp_path: Path) -> None:
    """Over paramiko alone: ssh itself leaves CheckHostIP out where the address is this machine's."""
    port, known = lab.host("db1").port, tmp_path / "known"
    key = lab.known_hosts.read_text().splitlines()[0].split(" ", 1)[1]
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    known.write_text(f"[localhost]:{port} {key}\n[127.0.0.1]:{port} {other}\n")
    options = f"-o UserKnownHostsFile={known} -o AddressFamily=inet"

    assert said(ask(connect(ansible_host="localhost", ansible_ssh_common_args=options), "echo in")) == "in\n"
    with pytest.raises(HostKeyChanged, match=r"another one for its address 127\.0\.0\.1"):
        ask(connect(ansible_host="localhost", ansible_ssh_common_args=f"{options} -o CheckHostIP=yes"), "true")


def test_this_machine_needs_no_key_where_that_is_said(connect: Connect) -> None:
    options = "-o UserKnownHostsFile=none -o NoHostAuthenticationForLocalhost=yes"

    assert said(ask(connect(ansible_ssh_common_args=options), "echo in")) == "in\n"


def test_a_connection_comes_from_the_address_that_is_named(connect: Connect, lab: SshLab) -> None:
    connection = connect(**with_options(lab, "db1", "BindAddress=127.0.0.9"))

    assert said(ask(connection, "echo ${SSH_CONNECTION%% *}")) == "127.0.0.9\n"


def test_a_proxy_command_that_hangs_and_ignores_term_fails_in_its_time_with_its_words(
    connect: Connect, lab: SshLab, tmp_path: Path
) -> None:
    script = tmp_path / "proxy"
    script.write_text("trap '' TERM\necho the gate is shut >&2\nwhile :; do sleep 600; done\n")
    options = with_options(lab, "db1", f"ProxyCommand=sh {script}", "ConnectTimeout=1")

    with pytest.raises(TimedOut, match="the gate is shut"):
        ask(connect(**options), "true")
    assert subprocess.run(["pgrep", "-f", str(script)], capture_output=True).stdout == b""
