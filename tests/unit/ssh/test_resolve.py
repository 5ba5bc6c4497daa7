"""Variables and ssh_config give one endpoint, decided without the network."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.errors import BadUse
from remotejobs.ssh.endpoint import Endpoint, HostKeyPolicy
from remotejobs.ssh.jump import Jump, parse_jumps
from remotejobs.ssh.resolve import resolve


@dataclass(frozen=True)
class SomeHost:
    name: str = "db1"
    variables: Mapping[str, Any] = field(default_factory=dict)


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

    assert (endpoint.address, endpoint.port, endpoint.user) == ("db1", 22, getpass.getuser())
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
    with pytest.raises(BadUse, match="more than 8 hops"):
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
    with pytest.raises(BadUse, match="is not a host's name or address"):
        resolved(home, "ProxyCommand nc %h %p\n", ansible_host=address)


@pytest.mark.parametrize("user", ["-l", "a b", "a;b", "$(x)", "a'b", "`x`"])
def test_a_user_that_could_become_a_command_is_refused(home: Path, user: str) -> None:
    with pytest.raises(BadUse, match="is not a user's name"):
        resolved(home, ansible_user=user)


@pytest.mark.parametrize(
    "address", ["db1", "10.0.0.1", "::1", "fe80::1%eth0", "a-b.example.com", "under_score", "bücher.de"]
)
def test_names_and_addresses_are_accepted(home: Path, address: str) -> None:
    assert resolved(home, ansible_host=address).address == address


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("Port many\n", "port 'many'"),
        ("Port 0\n", "port '0'"),
        ("StrictHostKeyChecking maybe\n", "'maybe' is unknown"),
        ("ConnectTimeout soon\n", "'soon' is not a number"),
        ("ProxyJump a:b:c\n", "'a:b:c' is not of the form"),
        ("Nonsense\n", "Unparsable line Nonsense"),
        ("Match user\n", "Missing parameter"),
    ],
)
def test_nonsense_in_ssh_config_is_named(home: Path, config: str, named: str) -> None:
    with pytest.raises(BadUse, match=named):
        resolved(home, config)


def test_an_included_file_ends_where_it_was_included(home: Path) -> None:
    (home / ".ssh" / "more").write_text("Host other\n  Port 1\n")

    assert resolved(home, "Include more\nUser everybody\n").user == "everybody"


def test_hosts_included_inside_a_host_are_refused_rather_than_misread(home: Path) -> None:
    (home / ".ssh" / "more").write_text("Host other\n  Port 1\n")

    with pytest.raises(BadUse, match=r"config:2: includes .*/more, which has Host or Match lines"):
        resolved(home, "Host db1\n  Include more\n")


def test_a_file_that_includes_itself_is_an_error(home: Path) -> None:
    with pytest.raises(BadUse, match="Look for a circle"):
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
