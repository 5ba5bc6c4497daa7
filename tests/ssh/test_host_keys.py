"""Only the host that is known is spoken to."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.errors import HostKeyChanged, HostKeyUnknown
from tests.ssh.asking import BY_PARAMIKO, ask, said

Connect = Callable[..., Connection]
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A known_hosts file that is empty yet."""
    path = tmp_path / "known"
    path.touch()
    return path


def options(known: Path, policy: str = "yes") -> dict[str, str]:
    return {
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking={policy}"
        " -o GlobalKnownHostsFile=none -o HashKnownHosts=no"
    }


def fingerprint(lab: SshLab) -> str:
    words = subprocess.run(["ssh-keygen", "-lf", lab.host_key], check=True, capture_output=True, text=True)
    return words.stdout.split()[1]


def test_an_unknown_key_is_refused_with_its_fingerprint_and_the_remedy(
    connect: Connect, lab: SshLab, known: Path, transport: str
) -> None:
    with pytest.raises(HostKeyUnknown) as unknown:
        ask(connect(**options(known)), "true")

    port = lab.host("db1").port
    said_of_it = {
        "paramiko": f"the ssh-ed25519 key {fingerprint(lab)} of [127.0.0.1]:{port} is not in {known}",
        "openssh": f"No ED25519 host key is known for [127.0.0.1]:{port}",
    }
    assert said_of_it[transport] in str(unknown.value)
    assert {"paramiko": f"ssh-keyscan -p {port} 127.0.0.1", "openssh": "ssh-keyscan"}[transport] in unknown.value.remedy
    assert known.read_text() == ""


def test_a_changed_key_is_refused_with_file_line_and_remedy(
    connect: Connect, lab: SshLab, known: Path, transport: str
) -> None:
    name = f"[127.0.0.1]:{lab.host('db1').port}"
    known.write_text(f"# a comment\n{name} {OTHER}\n")

    with pytest.raises(HostKeyChanged) as changed:
        ask(connect(**options(known)), "true")

    reported = str(changed.value)
    assert fingerprint(lab) in reported
    assert {"paramiko": f"{known} line 2 has ssh-ed25519 SHA256:", "openssh": f"{known}:2"}[transport] in reported
    assert {"paramiko": f"ssh-keygen -f {known} -R '{name}'", "openssh": "ssh-keygen -R"}[transport] in reported


def test_accept_new_learns_once_and_then_insists(connect: Connect, lab: SshLab, known: Path, transport: str) -> None:
    # OpenSSH 9.2 writes behind a last line without an end, and loses the key so; 10.0 does not.
    known.write_text("elsewhere ssh-ed25519 AAAA" + ("\n" if transport == "openssh" else ""))

    assert said(ask(connect(**options(known, "accept-new")), "echo in")) == "in\n"
    assert said(ask(connect(**options(known, "yes")), "echo in")) == "in\n"
    lines = known.read_text().splitlines()
    assert lines == ["elsewhere ssh-ed25519 AAAA", f"[127.0.0.1]:{lab.host('db1').port} {_public(lab)}"]


def test_accept_new_refuses_a_changed_key(connect: Connect, lab: SshLab, known: Path) -> None:
    known.write_text(f"[127.0.0.1]:{lab.host('db1').port} {OTHER}\n")

    with pytest.raises(HostKeyChanged):
        ask(connect(**options(known, "accept-new")), "true")


def test_many_at_once_learn_whole_lines(connect: Connect, lab: SshLab, known: Path) -> None:
    with ThreadPoolExecutor(20) as threads:
        for reply in threads.map(lambda _: ask(connect(**options(known, "accept-new")), "true"), range(20)):
            assert reply.complete

    assert known.read_text() == f"[127.0.0.1]:{lab.host('db1').port} {_public(lab)}\n"


def test_no_checking_takes_a_changed_key(connect: Connect, lab: SshLab, known: Path) -> None:
    known.write_text(f"[127.0.0.1]:{lab.host('db1').port} {OTHER}\n")

    assert said(ask(connect(**options(known, "no")), "echo in")) == "in\n"


def test_no_checking_and_no_file_takes_everything(connect: Connect) -> None:
    assert said(ask(connect(**options(Path("/dev/null"), "no")), "echo in")) == "in\n"


@BY_PARAMIKO
def test_a_revoked_key_is_refused_even_without_checking(connect: Connect, lab: SshLab, known: Path) -> None:
    """Over paramiko alone: ssh itself warns of such a key, and goes on where nothing is to be checked."""
    known.write_text(f"@revoked * {_public(lab)}\n")

    with pytest.raises(HostKeyChanged, match="is revoked there"):
        ask(connect(**options(known, "no")), "true")


def test_hashed_names_are_understood(connect: Connect, lab: SshLab, known: Path) -> None:
    known.write_text(lab.known_hosts.read_text())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)

    assert "127.0.0.1" not in known.read_text()
    assert said(ask(connect(**options(known)), "echo in")) == "in\n"


def test_a_host_key_alias_is_looked_up_instead(connect: Connect, lab: SshLab, known: Path) -> None:
    known.write_text(f"the-database {_public(lab)}\n")
    arguments = options(known)["ansible_ssh_common_args"] + " -o HostKeyAlias=the-database"

    assert said(ask(connect(ansible_ssh_common_args=arguments), "echo in")) == "in\n"


@pytest.fixture(scope="module")
def known_by_rsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    directory = tmp_path_factory.mktemp("two")
    rsa = directory / "host_rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", rsa], check=True)
    with SshLab(directory, ["two"], extra_config=[f"HostKey {rsa}"]) as two:
        public = " ".join(rsa.with_suffix(".pub").read_text().split()[:2])
        two.known_hosts.write_text(f"[127.0.0.1]:{two.host('two').port} {public}\n")
        yield two


def test_a_host_known_by_another_kind_of_key_is_asked_for_that_one(connect: Connect, known_by_rsa: SshLab) -> None:
    assert said(ask(connect("two", within=known_by_rsa), "echo in")) == "in\n"


def _public(lab: SshLab) -> str:
    return " ".join(lab.host_key.with_suffix(".pub").read_text().split()[:2])
