"""Variables and ssh_config give one endpoint, decided without the network."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.connections.ssh.config.jumps import Jump, parse_jumps
from remotejobs.connections.ssh.endpoint import Endpoint, HostKeyPolicy
from remotejobs.connections.ssh.explain import explain
from remotejobs.connections.ssh.resolve import resolve
from remotejobs.errors import UsageError
from tests.ssh.asking import SomeHost


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def resolved(home: Path, config: str = "", **variables: Any) -> Endpoint:
    """The endpoint of db1 with `config` as the user's ssh_config."""
    (home / ".ssh" / "config").write_text(config)
    return resolve(SomeHost(variables=variables))


def test_without_anything_it_is_what_ssh_would_do(home: Path) -> None:
    endpoint = resolved(home)

    assert (endpoint.address, endpoint.port, endpoint.user) == ("db1", 22, pwd.getpwuid(os.getuid()).pw_name)
    assert endpoint.host_keys is HostKeyPolicy.STRICT
    assert endpoint.known_hosts == (home / ".ssh/known_hosts", home / ".ssh/known_hosts2")
    assert endpoint.known_as == "db1"
    assert endpoint.connect_timeout == 10


def test_variables_win_over_ssh_config(home: Path) -> None:
    config = "Host *\n  Port 1\n  User config\n  IdentityFile ~/config\n  ConnectTimeout 3\n"
    endpoint = resolved(home, config, ansible_port=2, ansible_user="me", ansible_ssh_private_key_file="~/mine")

    assert (endpoint.port, endpoint.user, endpoint.connect_timeout) == (2, "me", 3)
    assert endpoint.identity_files == (home / "mine", home / "config")


def test_ssh_config_is_asked_for_ansible_host(home: Path) -> None:
    config = "Host alias\n  HostName 10.0.0.7\n  HostKeyAlias seven\nHost db1\n  HostName wrong\n"
    endpoint = resolved(home, config, ansible_host="alias")

    assert (endpoint.host, endpoint.address, endpoint.known_as) == ("db1", "10.0.0.7", "seven")


def test_match_exec_runs_its_command(home: Path) -> None:
    assert resolved(home, f'Match exec "test -d {home}"\n  Port 78\n').port == 78
    assert resolved(home, f'Match exec "test -f {home}"\n  Port 78\n').port == 22


def test_match_sees_the_user_of_the_command_line(home: Path) -> None:
    config = "Match user admin\n  Port 77\n"

    assert resolved(home, config, ansible_user="admin").port == 77
    assert resolved(home, config, ansible_user="other").port == 22


@pytest.mark.parametrize(
    ("word", "policy"),
    [
        ("yes", HostKeyPolicy.STRICT),
        ("ask", HostKeyPolicy.STRICT),
        ("accept-new", HostKeyPolicy.ACCEPT_NEW),
        ("no", HostKeyPolicy.OFF),
        ("off", HostKeyPolicy.OFF),
    ],
)
def test_strict_host_key_checking(home: Path, word: str, policy: HostKeyPolicy) -> None:
    assert resolved(home, f"StrictHostKeyChecking {word}\n").host_keys is policy
    assert resolved(home, ansible_ssh_extra_args=f"-o StrictHostKeyChecking={word}").host_keys is policy


def test_several_known_hosts_files(home: Path) -> None:
    endpoint = resolved(home, "UserKnownHostsFile ~/a %d/b /c\nGlobalKnownHostsFile none\n")

    assert endpoint.known_hosts == (home / "a", home / "b", Path("/c"))
    assert endpoint.global_known_hosts == ()


def test_a_quoted_known_hosts_file_may_hold_a_space(home: Path) -> None:
    arguments = "-o 'UserKnownHostsFile=\"/a b\" /c'"

    assert resolved(home, ansible_ssh_common_args=arguments).known_hosts == (Path("/a b"), Path("/c"))


def test_one_quoted_known_hosts_file_may_hold_a_space(home: Path) -> None:
    arguments = "-o 'UserKnownHostsFile=\"/a b\"'"

    assert resolved(home, ansible_ssh_common_args=arguments).known_hosts == (Path("/a b"),)
    assert resolved(home, 'UserKnownHostsFile "/a b"\n').known_hosts == (Path("/a b"),)


def test_jumps_are_resolved_each_by_ssh_config_and_not_by_the_variables(home: Path) -> None:
    config = "Host gate\n  HostName 10.0.0.1\n  User keeper\nHost inner\n  ProxyJump never\n  Port 23\n"
    endpoint = resolved(home, config, ansible_ssh_common_args="-J gate,me@inner -o HostKeyAlias=x", ansible_user="db")

    assert [(hop.address, hop.user, hop.port, hop.host_key_alias) for hop in endpoint.via] == [
        ("10.0.0.1", "keeper", 22, ""),
        ("inner", "me", 23, ""),
    ]
    assert endpoint.user == "db"


def test_a_jump_host_may_be_behind_another(home: Path) -> None:
    endpoint = resolved(home, "Host db1\n  ProxyJump inner\nHost inner\n  ProxyJump outer\n")

    assert [hop.address for hop in endpoint.via] == ["outer", "inner"]
    assert all(hop.via == () for hop in endpoint.via)


def test_a_circle_of_jumps_is_an_error(home: Path) -> None:
    with pytest.raises(UsageError, match="more than 8 hops"):
        resolved(home, "Host *\n  ProxyJump gate\n")


def test_a_proxy_on_the_command_line_wins_over_the_other_kind_in_ssh_config(home: Path) -> None:
    by_command = resolved(home, "ProxyJump gate\n", ansible_ssh_common_args="-o 'ProxyCommand=nc %h %p'")
    by_jump = resolved(home, "ProxyCommand nc %h %p\n", ansible_ssh_common_args="-J gate")

    assert (by_command.via, by_command.proxy_command) == ((), "nc db1 22")
    assert ([hop.address for hop in by_jump.via], by_jump.proxy_command) == (["gate"], "")
    assert resolved(home, "ProxyJump gate\n", ansible_ssh_common_args="-o ProxyJump=none").via == ()
    assert resolved(home, "ProxyCommand none\n").proxy_command == ""


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "a b", "a;b", "$(x)", "a\nb", "`x`", "a'b", "a|b", "a/b"])
def test_a_name_that_could_become_a_command_is_refused(home: Path, address: str) -> None:
    with pytest.raises(UsageError, match="is not a host's name or address"):
        resolved(home, "ProxyCommand nc %h %p\n", ansible_host=address)


@pytest.mark.parametrize("user", ["-l", "a b", "a;b", "$(x)", "a'b", "`x`"])
def test_a_user_that_could_become_a_command_is_refused(home: Path, user: str) -> None:
    with pytest.raises(UsageError, match="is not a user's name"):
        resolved(home, ansible_user=user)


@pytest.mark.parametrize(
    "address", ["db1", "10.0.0.1", "::1", "fe80::1%eth0", "a-b.example.com", "under_score", "bücher.de"]
)
def test_names_and_addresses_are_accepted(home: Path, address: str) -> None:
    assert resolved(home, ansible_host=address).address == address


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("Port many\n", "line 1: Bad port 'many'"),
        ("Port 0\n", "line 1: Bad port '0'"),
        ("StrictHostKeyChecking maybe\n", 'line 1: unsupported option "maybe"'),
        ("ConnectTimeout soon\n", "line 1: invalid time value"),
        ("ProxyJump a:b:c\n", "'a:b:c' is not of the form"),
        ("Nonsense\n", 'no argument after keyword "nonsense"'),
        ("Match user\n", "Bad Match condition"),
    ],
)
def test_nonsense_in_ssh_config_is_named(home: Path, config: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        resolved(home, config)


def test_an_included_file_ends_where_it_was_included(home: Path) -> None:
    (home / ".ssh" / "more").write_text("Host other\n  Port 1\n")

    assert resolved(home, "Include more\nUser everybody\n").user == "everybody"


def test_hosts_included_inside_a_host_count_there_alone(home: Path) -> None:
    (home / ".ssh" / "more").write_text("Host other\n  Port 1\nHost *\n  User included\n")
    config = "Host db1\n  Include more\n  Port 2\nHost *\n  User everybody\n"

    assert (resolved(home, config).port, resolved(home, config).user) == (2, "included")
    assert resolved(home, config, ansible_host="other").user == "everybody"


def test_a_file_that_includes_itself_is_an_error(home: Path) -> None:
    with pytest.raises(UsageError, match="Look for a circle"):
        resolved(home, "Include config\n")


def test_a_password_is_in_no_text(home: Path) -> None:
    endpoint = resolved(home, ansible_password="s3cret")

    assert endpoint.password == "s3cret"
    assert "s3cret" not in repr(endpoint) + str(endpoint)


def test_jumps_in_all_their_forms() -> None:
    assert parse_jumps("a, b@c:22 ,ssh://d@e:1/,[::1]:5", "here") == (
        Jump("a"),
        Jump("c", "b", "22"),
        Jump("e", "d", "1"),
        Jump("::1", "", "5"),
    )


names = st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)


@given(st.lists(st.builds(Jump, names, st.just("") | names, st.just("") | st.integers(1, 65535).map(str)), min_size=1))
def test_jumps_survive_being_written_down(jumps: list[Jump]) -> None:
    def written(jump: Jump) -> str:
        return (f"{jump.user}@" if jump.user else "") + jump.name + (f":{jump.port}" if jump.port else "")

    parsed = parse_jumps(",".join(map(written, jumps)), "here")
    assert parsed == (() if [jump.name for jump in jumps] == ["none"] and parsed == () else tuple(jumps))


def test_options_that_decide_who_gets_in_are_honoured(home: Path) -> None:
    config = (
        "PreferredAuthentications password,publickey,gssapi-with-mic\nGSSAPIAuthentication yes\nIdentityFile none\n"
        "CertificateFile ~/c-%n-cert.pub\nRevokedHostKeys ~/revoked\nHostKeyAlgorithms ssh-ed25519\n"
        "HostKeyAlias Upper\nRequiredRSASize 3072\nIdentityAgent ~/agent\n"
        "UserKnownHostsFile ~/%k ${RJ_KNOWN}\nConnectTimeout 1m\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RJ_KNOWN", "/known/100%h")
        endpoint = resolved(home, config, ansible_ssh_common_args="-o PubkeyAuthentication=yes")

    assert (endpoint.methods, endpoint.untried) == (("password", "publickey"), ("gssapi-with-mic",))
    assert (endpoint.identity_files, endpoint.usual_identities) == ((), False)
    assert endpoint.certificate_files == (home / "c-db1-cert.pub",)
    assert (endpoint.revoked_host_keys, endpoint.known_as) == (home / "revoked", "upper")
    assert (endpoint.algorithms.host_keys, endpoint.algorithms.least_rsa_bits) == ("ssh-ed25519", 3072)
    assert endpoint.identity_agent == str(home / "agent")
    assert endpoint.known_hosts == (home / "upper", Path("/known/100%h"))
    assert endpoint.connect_timeout == 60


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("PKCS11Provider /usr/lib/token.so\n", r"db1: PKCS11Provider \(.*config:1\) cannot be honoured by paramiko"),
        ("ProxyUseFdpass yes\nProxyCommand nc -F %h %p\n", r"ProxyUseFdpass \(.*config:1\)"),
        ("IdentityFile ~/${RJ_UNSET}\n", r"identityfile wants \$\{RJ_UNSET\}, which is not set"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name_and_place(home: Path, config: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        resolved(home, config)


def test_what_openssh_will_do_is_not_refused(home: Path) -> None:
    assert resolved(home, "PKCS11Provider /usr/lib/token.so\n", remotejobs_transport="openssh").address == "db1"


def test_a_host_of_fedora_is_reached(home: Path) -> None:
    assert resolved(home, "Match final all\n  GSSAPIAuthentication yes\n").untried == ("gssapi-with-mic",)


def test_each_setting_of_each_hop_is_explained(home: Path) -> None:
    rows = {}
    config = home / ".ssh" / "config"
    config.write_text("Host db1\n  ProxyJump gate:2222\nHost gate\n  HostName 10.0.0.1\n  User keeper\n")
    for row in explain(SomeHost(variables={"ansible_port": 23})):
        rows[row.hop, row.setting] = (row.value, row.place)

    assert rows["db1", "Port"] == ("23", "db1: ansible_port")
    assert rows["db1", "ProxyJump"] == ("gate:2222", f"{config}:2")
    assert rows["db1", "HostName"] == ("db1", "default")
    assert rows["gate", "HostName"] == ("10.0.0.1", f"{config}:4")
    assert rows["gate", "Port"] == ("2222", "ProxyJump of db1")
