"""The words that Ansible gives to ssh become options, in ssh's order of precedence."""

from __future__ import annotations

import contextlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.connections.ssh.config.arguments import arguments_of, parse
from remotejobs.errors import UsageError
from tests.ssh.asking import SomeHost


def options(line: str) -> list[tuple[str, str]]:
    return [(option.key, option.value) for option in parse(line, "here").options]


_THREE = [("addressfamily", "inet"), ("bindaddress", "10.0.0.1"), ("pubkeyauthentication", "no")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-p 2222", [("port", "2222")]),
        ("-p2222 -l root", [("port", "2222"), ("user", "root")]),
        ("-i /a -i '/b c'", [("identityfile", "/a"), ("identityfile", "/b c")]),
        ("-J a,b@c:22", [("proxyjump", "a,b@c:22")]),
        ("-o Port=22 -oUser=x", [("port", "22"), ("user", "x")]),
        ("-o 'ProxyCommand=ssh -W \"%h\":%p gate'", [("proxycommand", 'ssh -W "%h":%p gate')]),
        ("-o 'IdentityFile=\"/a b\"'", [("identityfile", "/a b")]),
        ("-o 'StrictHostKeyChecking no'", [("stricthostkeychecking", "no")]),
        ("-C -vvq -o ControlMaster=auto -S none -o ServerAliveInterval=5", []),
        ("-4 -b 10.0.0.1 -o DSAAuthentication=no", _THREE),
        ("-qCp 22", [("port", "22")]),
        ("-I /token.so", [("pkcs11provider", "/token.so")]),
        ("-K", [("gssapiauthentication", "yes"), ("gssapidelegatecredentials", "yes")]),
        ("-k -o GSSAPIKeyExchange=yes", [("gssapidelegatecredentials", "no"), ("gssapikeyexchange", "yes")]),
    ],
)
def test_options_are_read_as_ssh_reads_them(line: str, expected: list[tuple[str, str]]) -> None:
    assert options(line) == expected


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("-D 1080", "-D is not supported"),
        ("-o LocalCommand=reboot", "-o LocalCommand is not supported"),
        ("-o nonsense", "'nonsense' is not of the form"),
        ("db7", "'db7' is not an option"),
        ("-p", "-p needs a value"),
        ("-i 'open", "No closing quotation"),
        ("-o 'ProxyCommand=a\nHost *'", "control character"),
    ],
)
def test_what_cannot_be_honoured_is_named_with_its_place(line: str, named: str) -> None:
    with pytest.raises(UsageError, match="here: ") as refused:
        parse(line, "here")
    assert named in str(refused.value)


def test_ssh_args_come_before_variables_and_these_before_common_and_extra_args() -> None:
    variables = {
        "ansible_ssh_args": "-p 1",
        "ansible_port": 2,
        "ansible_ssh_common_args": "-p 3",
        "ansible_ssh_extra_args": "-p 4 -F /some/config",
    }
    arguments = arguments_of(SomeHost(variables=variables))

    assert [option.value for option in arguments.options] == ["1", "2", "3", "4"]
    assert arguments.config == "/some/config"


def test_a_host_key_checking_of_no_is_an_option() -> None:
    arguments = arguments_of(SomeHost(variables={"ansible_host_key_checking": "no"}))

    assert [(option.key, option.value) for option in arguments.options] == [("stricthostkeychecking", "no")]


def test_a_list_where_text_belongs_is_refused() -> None:
    with pytest.raises(UsageError, match="db1: ansible_port is"):
        arguments_of(SomeHost(variables={"ansible_port": [22]}))


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(lambda text: text.strip() == text))
def test_any_path_survives_the_command_line(path: str) -> None:
    assert options(shlex.join(["-i", path])) == [("identityfile", path)]


@given(st.text())
def test_any_line_is_read_or_refused(line: str) -> None:
    with contextlib.suppress(UsageError):
        parse(line, "here")
