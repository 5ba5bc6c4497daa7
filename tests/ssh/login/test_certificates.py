"""Certificates: of users, signed anew every hour, and of hosts, vouched for by one line of known_hosts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.errors import AuthenticationFailed, HostKeyChanged, HostKeyUnknown
from tests.ssh.asking import ask, said
from tests.ssh.making import Making, agent_with

Connect = Callable[..., Connection]


@pytest.fixture(scope="module")
def making(tmp_path_factory: pytest.TempPathFactory) -> Making:
    return Making(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certified(making: Making, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    """A host that lets in users with a certificate, and shows one."""
    directory = tmp_path_factory.mktemp("certified")
    host = Making(directory).key("host_ed25519")
    making.certify(making.key("hosts-ca"), host, "host", host=True)
    extra = [
        f"TrustedUserCAKeys {making.key('users-ca')}.pub",
        "AuthorizedKeysFile none",
        f"HostCertificate {host}-cert.pub",
    ]
    with SshLab(directory, ["cert"], extra_config=extra) as lab:
        yield lab


EXPIRED = {"paramiko": r"{0} with {0}-cert.pub \(its certificate expired on .*, {0}", "openssh": "Permission denied"}


def logged_in(connection: Connection) -> bool:
    return said(ask(connection, "echo in")) == "in\n"


def test_a_certificate_that_is_signed_anew_is_used_at_the_next_login(
    connect: Connect, certified: SshLab, making: Making, transport: str
) -> None:
    key = making.key(f"hourly-{transport}")
    making.certify(making.key("users-ca"), key, "root", valid="-2h:-1h")
    connection = connect("cert", within=certified, ansible_ssh_private_key_file=str(key))

    with pytest.raises(AuthenticationFailed, match=EXPIRED[transport].format(key)):
        ask(connection, "true")
    making.certify(making.key("users-ca"), key, "root")
    assert logged_in(connection)
    connection.close()
    making.certify(making.key("users-ca"), key, "somebody")
    with pytest.raises(AuthenticationFailed):
        ask(connection, "true")


@pytest.mark.parametrize("fault", ["expired", "foreign", "damaged"])
def test_a_key_with_a_certificate_that_does_not_help_is_tried_plain(
    connect: Connect, lab: SshLab, making: Making, fault: str, transport: str
) -> None:
    key = making.copy(lab.private_key, f"plain-{fault}-{transport}")
    other = key if fault != "foreign" else making.key(f"another-{transport}")
    making.certify(making.key("users-ca"), other, "root", valid="-2h:-1h" if fault == "expired" else "+1h")
    if fault == "foreign":
        Path(f"{other}-cert.pub").rename(f"{key}-cert.pub")
    if fault == "damaged":
        Path(f"{key}-cert.pub").write_text("ssh-ed25519-cert-v01@openssh.com AAAA\n")

    assert logged_in(connect(ansible_ssh_private_key_file=str(key)))


def test_certificate_file_names_a_certificate_elsewhere(
    connect: Connect, certified: SshLab, making: Making, tmp_path: Path
) -> None:
    key = making.key("elsewhere")
    certificate = making.certify(making.key("users-ca"), key, "root").rename(tmp_path / "moved.pub")
    options = f"{certified.variables('cert')['ansible_ssh_common_args']} -o CertificateFile={certificate}"

    assert logged_in(
        connect("cert", within=certified, ansible_ssh_private_key_file=str(key), ansible_ssh_common_args=options)
    )


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_certificate_in_the_agent_is_used(
    connect: Connect, certified: SshLab, making: Making, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = making.key(f"held-{kind}", kind)
    making.certify(making.key("users-ca"), key, "root")
    with agent_with(tmp_path / "agent", key) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        assert logged_in(connect("cert", within=certified, ansible_ssh_private_key_file=None))


def of_authority(certified: SshLab, making: Making, patterns: str, tmp_path: Path, policy: str = "yes") -> str:
    """The options that know the host by its certificate's authority alone."""
    known = tmp_path / "known"
    public = making.key("hosts-ca").with_name("hosts-ca.pub").read_text()
    known.write_text(f"@cert-authority {patterns} {public}")
    name = "-o HostKeyAlias=host"
    return f"-o UserKnownHostsFile={known} -o GlobalKnownHostsFile=none -o StrictHostKeyChecking={policy} {name}"


@pytest.fixture
def user(making: Making) -> str:
    key = making.key("user")
    making.certify(making.key("users-ca"), key, "root")
    return str(key)


def test_a_host_is_known_by_its_certificate(
    connect: Connect, certified: SshLab, making: Making, user: str, tmp_path: Path
) -> None:
    options = of_authority(certified, making, "h*,!hidden", tmp_path)
    connection = connect("cert", within=certified, ansible_ssh_common_args=options, ansible_ssh_private_key_file=user)

    assert logged_in(connection)
    assert len((tmp_path / "known").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("principal", "valid", "why"),
    [
        ("another", "+1h", "which is for another|name is not a listed principal"),
        ("host", "-2h:-1h", "which expired on|Certificate invalid: expired"),
    ],
)
def test_a_hosts_certificate_that_does_not_count_is_refused_by_name(
    connect: Connect, certified: SshLab, making: Making, user: str, tmp_path: Path, principal: str, valid: str, why: str
) -> None:
    host = certified.host_key
    making.certify(making.key("hosts-ca"), host, principal, host=True, valid=valid)
    certified.restart_host("cert")
    options = of_authority(certified, making, "*", tmp_path, policy="accept-new")
    try:
        with pytest.raises(HostKeyUnknown, match=why):
            ask(connect("cert", within=certified, ansible_ssh_common_args=options, retry_for=0), "true")
    finally:
        making.certify(making.key("hosts-ca"), host, "host", host=True)
        certified.restart_host("cert")


def test_an_authority_of_other_hosts_vouches_for_none(
    connect: Connect, certified: SshLab, making: Making, user: str, tmp_path: Path
) -> None:
    options = of_authority(certified, making, "*.example.com", tmp_path)

    with pytest.raises(HostKeyUnknown, match="is not in|No ED25519 host key is known for"):
        ask(connect("cert", within=certified, ansible_ssh_common_args=options), "true")


def test_a_revoked_authority_vouches_for_none(
    connect: Connect, certified: SshLab, making: Making, user: str, tmp_path: Path
) -> None:
    options = of_authority(certified, making, "*", tmp_path)
    revoked = making.key("hosts-ca").with_name("hosts-ca.pub")
    options += f" -o RevokedHostKeys={revoked}"

    with pytest.raises(HostKeyChanged, match=f" revoked by (file )?{revoked}"):
        ask(connect("cert", within=certified, ansible_ssh_common_args=options), "true")


def test_a_revocation_list_is_read_and_an_unreadable_one_trusts_nobody(
    connect: Connect, lab: SshLab, tmp_path: Path
) -> None:
    krl = tmp_path / "krl"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", krl, lab.host_key.with_suffix(".pub")], check=True)
    common = lab.variables("db1")["ansible_ssh_common_args"]

    with pytest.raises(HostKeyChanged, match="revoked by"):
        ask(connect(ansible_ssh_common_args=f"{common} -o RevokedHostKeys={krl}"), "true")
    with pytest.raises(
        HostKeyUnknown, match="RevokedHostKeys /no/such cannot be read|revoked keys file /no/such: No such file"
    ):
        ask(connect(ansible_ssh_common_args=f"{common} -o RevokedHostKeys=/no/such"), "true")
