"""A login by a Kerberos ticket (GSSAPI): by the system's ssh, and named over paramiko, which cannot do it."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator

import pytest

from lab.servers.kerberos import Kerberos
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.errors import AuthenticationFailed
from tests.ssh.asking import BY_PARAMIKO, ask, said

Connect = Callable[..., Connection]
BY_OPENSSH = pytest.mark.transport("openssh")


@pytest.fixture(scope="module")
def kerberos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kerberos]:
    with Kerberos(tmp_path_factory.mktemp("kerberos"), services=["host/127.0.0.1"]) as kerberos:
        kerberos.give_ticket(getpass.getuser())
        yield kerberos


@pytest.fixture(scope="module")
def tickets_only(kerberos: Kerberos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    # Without the last one only the name of the whole machine would do.
    lines = ["GSSAPIAuthentication yes", "PubkeyAuthentication no", "GSSAPIStrictAcceptorCheck no"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in kerberos.environment.items():
            patch.setenv(name, value)
        with SshLab(tmp_path_factory.mktemp("tickets"), ["realm"], extra_config=lines) as lab:
            yield lab


@BY_OPENSSH
@pytest.mark.parametrize("option", ["-o GSSAPIAuthentication=yes", "-K"])
def test_a_ticket_lets_in_where_the_configuration_asks_for_it(
    connect: Connect, tickets_only: SshLab, option: str
) -> None:
    connection = connect("realm", within=tickets_only, ansible_ssh_extra_args=f"-F none {option}")

    assert said(ask(connection, "echo in")) == "in\n"


@BY_OPENSSH
def test_a_ticket_goes_along_only_where_the_configuration_asks_for_it(connect: Connect, tickets_only: SshLab) -> None:
    with_ticket = connect("realm", within=tickets_only, ansible_ssh_extra_args="-F none -K")
    without = connect("realm", within=tickets_only, ansible_ssh_extra_args="-F none -k -o GSSAPIAuthentication=yes")

    assert said(ask(with_ticket, "echo ${KRB5CCNAME:+forwarded}")) == "forwarded\n"
    assert said(ask(without, "echo ${KRB5CCNAME:+forwarded}")) == "\n"


@BY_OPENSSH
def test_without_a_ticket_nobody_gets_in(
    connect: Connect, tickets_only: SshLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5CCNAME", "FILE:/no/such/tickets")
    connection = connect("realm", within=tickets_only, ansible_ssh_extra_args="-F none -K")

    with pytest.raises(AuthenticationFailed, match=r"Permission denied \(gssapi"):
        ask(connection, "true")


@BY_PARAMIKO
@pytest.mark.parametrize("option", ["-o GSSAPIAuthentication=yes", "-K"])
def test_paramiko_names_what_it_did_not_try_and_what_can(connect: Connect, tickets_only: SshLab, option: str) -> None:
    connection = connect("realm", within=tickets_only, ansible_ssh_extra_args=f"-F none {option}")

    with pytest.raises(AuthenticationFailed, match="Not tried were gssapi-with-mic.*remotejobs_transport: openssh"):
        ask(connection, "true")
