"""Keys that no file holds: FIDO keys (sk) and those of PKCS#11 tokens, by the system's ssh or an agent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.errors import AuthenticationFailed, UsageError
from tests.ssh.asking import BY_PARAMIKO, ask, said
from tests.ssh.making import Making, agent_with, run

Connect = Callable[..., Connection]
BY_OPENSSH = pytest.mark.transport("openssh")
# The token of OpenSSH's own tests: it signs as hardware does, and needs no touch.
FIDO = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"
PKCS11 = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "7391"
KINDS = ("ed25519-sk", "ecdsa-sk")


@pytest.fixture(scope="module")
def making(tmp_path_factory: pytest.TempPathFactory) -> Making:
    made = Making(tmp_path_factory.mktemp("keys"))
    for kind in KINDS:
        run("ssh-keygen", "-q", "-t", kind, "-w", FIDO, "-N", "", "-f", str(made.directory / kind))
    return made


@pytest.fixture(scope="module")
def token(making: Making) -> Iterator[Path]:
    """The public half of the key that is in a token, and in no file."""
    place = making.directory / "tokens"
    place.mkdir()
    settings = making.directory / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {place}\nobjectstore.backend = file\nlog.level = ERROR\n")
    key = making.directory / "in-token"
    run("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PKCS8", "-N", "", "-f", str(key))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(settings))
        pins = ["--so-pin", "0000", "--pin", PIN]
        hsm("--init-token", "--free", "--label", "lab", *pins)
        hsm("--import", str(key), "--token", "lab", "--label", "key", "--id", "01", "--pin", PIN)
        key.unlink()
        yield key.with_name("in-token.pub")


def hsm(*words: str) -> None:
    run("softhsm2-util", *words, SOFTHSM2_CONF=os.environ["SOFTHSM2_CONF"])


@pytest.fixture(scope="module")
def guarded(making: Making, token: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    """An sshd that lets in no key that is in a file."""
    allowed = making.directory / "authorized"
    allowed.write_text("".join((making.directory / f"{kind}.pub").read_text() for kind in KINDS) + token.read_text())
    with SshLab(tmp_path_factory.mktemp("guarded"), ["vault"], extra_config=[f"AuthorizedKeysFile {allowed}"]) as lab:
        yield lab


@pytest.fixture
def reach(connect: Connect, guarded: SshLab, tmp_path: Path) -> Connect:
    """A way to it by an ssh_config of these lines."""

    def open_to(*lines: str, **changes: str) -> Connection:
        config = tmp_path / "config"
        config.write_text("\n".join([*lines, ""]))
        variables = {"ansible_ssh_private_key_file": None, "ansible_ssh_extra_args": f"-F {config}", **changes}
        return connect("vault", within=guarded, **variables)

    return open_to


@BY_OPENSSH
@pytest.mark.parametrize("kind", KINDS)
def test_a_fido_key_lets_in_by_its_provider(reach: Connect, making: Making, kind: str) -> None:
    connection = reach(f"SecurityKeyProvider {FIDO}", f"IdentityFile {making.directory / kind}", "IdentitiesOnly yes")

    assert said(ask(connection, "echo in")) == "in\n"


@BY_OPENSSH
def test_a_password_is_no_hindrance_to_a_fido_key(reach: Connect, making: Making) -> None:
    """ssh asks for a touch of the token by the program that has the password."""
    lines = [f"SecurityKeyProvider {FIDO}", f"IdentityFile {making.directory / KINDS[0]}"]

    assert said(ask(reach(*lines, ansible_password="unasked"), "echo in")) == "in\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_fido_key_that_an_agent_holds_lets_in(
    reach: Connect, making: Making, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with agent_with(tmp_path / "agent", making.directory / kind, options=("-S", FIDO)) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))

        assert said(ask(reach(), "echo in")) == "in\n"


@BY_PARAMIKO
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beside", ["with its public half", "alone"])
def test_paramiko_names_a_fido_key_and_what_can_use_it(
    reach: Connect, making: Making, tmp_path: Path, kind: str, beside: str
) -> None:
    key = making.copy(making.directory / kind, f"{kind}-copy")
    if beside == "alone":
        key.with_name(f"{key.name}.pub").unlink()

    with pytest.raises(AuthenticationFailed, match=rf"{key} \(a FIDO key, .*remotejobs_transport be openssh\)"):
        ask(reach(f"IdentityFile {key}", "IdentitiesOnly yes"), "true")


@BY_OPENSSH
def test_a_key_of_a_pkcs11_token_lets_in_by_its_pin_as_with_ansible(reach: Connect) -> None:
    connection = reach(ansible_ssh_pkcs11_provider=PKCS11, ansible_password=PIN)

    assert said(ask(connection, "echo in")) == "in\n"


@BY_OPENSSH
def test_a_wrong_pin_is_given_once_and_shown_nowhere(reach: Connect, token: Path) -> None:
    """A token locks itself after a few wrong ones."""
    with pytest.raises(AuthenticationFailed, match="login failed|Permission denied") as refused:
        ask(reach(ansible_ssh_pkcs11_provider=PKCS11, ansible_password="wr0ng"), "true")

    assert "wr0ng" not in str(refused.value)
    assert said(ask(reach(ansible_ssh_pkcs11_provider=PKCS11, ansible_password=PIN), "echo in")) == "in\n"


@BY_OPENSSH
def test_a_password_is_not_taken_for_the_pin_of_a_token_that_ssh_config_names(reach: Connect) -> None:
    with pytest.raises(AuthenticationFailed, match="PIN.*ansible_ssh_pkcs11_provider"):
        ask(reach(f"PKCS11Provider {PKCS11}", ansible_password=PIN), "true")


@BY_OPENSSH
def test_a_token_of_ssh_config_that_wants_a_pin_is_reported_with_its_remedy(reach: Connect) -> None:
    with pytest.raises(AuthenticationFailed, match="PIN.*ansible_ssh_pkcs11_provider.*ssh-add -s"):
        ask(reach(f"PKCS11Provider {PKCS11}"), "true")


def test_a_key_of_a_token_that_an_agent_opened_lets_in(
    reach: Connect, token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = tmp_path / "pin"
    answer.write_text(f"#!/bin/sh\necho {PIN}\n")
    answer.chmod(0o700)
    with agent_with(tmp_path / "agent") as agent:
        run("ssh-add", "-s", PKCS11, SSH_AUTH_SOCK=str(agent), SSH_ASKPASS=str(answer), SSH_ASKPASS_REQUIRE="force")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))

        assert said(ask(reach(), "echo in")) == "in\n"


@BY_PARAMIKO
@pytest.mark.parametrize("said_in", ["ssh_config", "ansible_ssh_pkcs11_provider", "ansible_ssh_extra_args"])
def test_paramiko_refuses_a_pkcs11_token_by_name(reach: Connect, said_in: str) -> None:
    lines = [f"PKCS11Provider {PKCS11}"] if said_in == "ssh_config" else []
    changes = {
        "ssh_config": {},
        "ansible_ssh_pkcs11_provider": {"ansible_ssh_pkcs11_provider": PKCS11},
        "ansible_ssh_extra_args": {"ansible_ssh_extra_args": f"-I {PKCS11}"},
    }[said_in]
    place = "config:1" if said_in == "ssh_config" else said_in

    with pytest.raises(
        UsageError, match=rf"vault: PKCS11Provider \(.*{place}.*\) cannot .*remotejobs_transport: openssh"
    ):
        reach(*lines, **changes)
