"""What a person sees on a terminal, and that no host can play with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Hosts
from tests.cli.terminal import on_terminal

COLOUR = re.compile(r"\x1b\[(?:\d+;)*3[1-7]m")


def test_a_terminal_gets_colours_and_a_live_view_that_is_gone_at_the_end(hosts: Hosts) -> None:
    code, seen = on_terminal(
        "run", "all", "-i", str(hosts.inventory), "-P", "1", "--jid", "live", "--", "echo step one; sleep 2.5; echo two"
    )

    assert code == 0
    assert "\x1b[32msucceeded" in seen
    assert f"live  {len(hosts.names)} running" in seen
    assert re.search(r"\d\.\ds  (?:\x1b\[[\d;]*m)*step one", seen)
    assert seen.rstrip().endswith(f"{len(hosts.names)} hosts: {len(hosts.names)} succeeded")


@pytest.mark.parametrize("waiting", [False, True])
def test_a_terminal_shows_the_last_line_soon_however_long_the_polls(
    local_hosts: Hosts, tmp_path: Path, waiting: bool
) -> None:
    go, where = tmp_path / "go", ["-i", str(local_hosts.inventory), "-P", "60"]
    command = f"echo step one; until [ -e {go} ]; do sleep 0.1; done"
    words = ["run", "here", *where, "-B", "25", "--", command]
    if waiting:
        local_hosts.call("run", "-l", "here", "-P", "0", "-B", "25", "--jid", "soon", "--", "sleep 2; " + command)
        words = ["wait", "here", "soon", *where]
    code, _ = on_terminal(*words, steps=[(r"s  (?:\x1b\[[\d;]*m)*step one", go.touch)])

    assert code == 0


def test_no_color_is_honoured(local_hosts: Hosts) -> None:
    code, seen = on_terminal("run", "all", "-i", str(local_hosts.inventory), "--", "exit 1", NO_COLOR="1")

    assert code == 2
    assert "failed" in seen
    assert not COLOUR.search(seen)


def test_a_pipe_gets_plain_lines_without_a_single_control_character(local_hosts: Hosts) -> None:
    ended = local_hosts.call("run", "-P", "1", "--", "printf 'a\\tb\\033[31mred\\007\\n'; sleep 1.5")

    assert ended.code == 0
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", ended.out)
    assert ended.out.count(r"    a" + "\t" + r"b\x1b[31mred\x07") == 2


def test_a_host_cannot_send_escapes_to_the_terminal(local_hosts: Hosts) -> None:
    evil = r"printf '\033]0;owned\007\033[2J\r\302\233hidden\n' | tee /dev/stderr; sleep 1.2; exit 1"
    where = ["-i", str(local_hosts.inventory)]
    _, run = on_terminal("run", "all", *where, "-P", "1", "--jid", "evil", "--", evil)
    _, log = on_terminal("log", "all", "evil", *where)
    _, one = on_terminal("log", "here", "evil", *where)
    _, status = on_terminal("status", "all", "evil", "-v", *where)

    for seen in (run, log, one, status):
        assert "\x1b]0;" not in seen
        assert "\x1b[2J\r" not in seen
        assert "\x9b" not in seen
        assert "\x07" not in seen
        assert r"\x1b]0;owned\x07\x1b[2J" in seen
        assert r"\x9bhidden" in seen


def test_a_narrow_terminal_keeps_the_live_view_on_its_lines(local_hosts: Hosts) -> None:
    text = "word " * 40
    code, seen = on_terminal(
        "run", "all", "-i", str(local_hosts.inventory), "-P", "1", "--jid", "narrow", "--",
        f"echo {text}; sleep 1.5", columns=50,
    )  # fmt: skip

    assert code == 0
    live = [
        line
        for line in re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", seen).split("\r")
        if re.match(r"\s+here +\d\.\ds  w", line)
    ]
    assert live
    assert [line for line in live if len(line.strip("\n")) > 50] == []


def test_a_list_fits_a_terminal_of_eighty_columns(local_hosts: Hosts) -> None:
    where = ["-i", str(local_hosts.inventory)]
    local_hosts.call("run", "--", "echo a command that is longer; exit 3")
    _, seen = on_terminal("list", "all", *where, columns=80, NO_COLOR="1")
    _, wide = on_terminal("list", "all", *where, columns=200, NO_COLOR="1")

    assert max(map(len, seen.splitlines())) <= 80
    assert re.search(r"  echo.*…  \d{4}-\d\d-\d\d…  ", seen)
    assert "  echo a command that is longer; exit 3  " in wide


def test_json_stays_plain_on_a_terminal(local_hosts: Hosts) -> None:
    code, seen = on_terminal("run", "all", "-i", str(local_hosts.inventory), "--json", "--", "true")

    assert code == 0
    assert "\x1b" not in seen
    assert all(line.startswith('{"host": ') for line in seen.split("\r\n") if line)


@pytest.mark.parametrize(
    ("options", "prompt", "said"),
    [
        (["-K", "-b"], "BECOME password: ", "sudo's password was not typed. Type it and press Enter, or set ansible_b"),
        (["-k"], "SSH password: ", "the password of the login was not typed. Type it and press Enter, or set ansible_"),
    ],
)
def test_an_end_of_input_at_the_password_is_reported_without_a_traceback(
    options: list[str], prompt: str, said: str, local_hosts: Hosts
) -> None:
    words = ["list", "all", *options, "-i", str(local_hosts.inventory)]
    code, seen = on_terminal(*words, steps=[(prompt, b"\x04")])

    assert code == 1
    assert f"error: {said}" in seen
    assert "Traceback" not in seen
