"""Watching the jobs of many hosts: on a terminal with keys, in a pipe as lines."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest

from tests.cli.conftest import Hosts, written
from tests.cli.running import begin
from tests.cli.terminal import Act, on_terminal

KEYS = "q quit"
DOWN = b"\x1b[B"
MAIN_SCREEN = "\x1b[?1049l"  # the terminal shows again what it showed before


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A file that jobs wait for."""
    return tmp_path / "go"


def start(hosts: Hosts, jid: str, command: str, *, on: str = "here", label: str = "") -> None:
    hosts.call("run", "-l", on, "-P", "0", "--jid", jid, "--label", label or jid, "--", command)


@contextlib.contextmanager
def watching(hosts: Hosts, *words: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """`remotejobs watch all` into a pipe, and its lines; it ends with the block at the latest."""
    process = begin("watch", "all", *words, "-P", "1", "-i", str(hosts.inventory))
    assert process.stdout
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.wait()


def waiting_for(go: Path, then: str = "true") -> str:
    return f"echo waiting; until [ -e {go} ]; do sleep 0.1; done; {then}"


def test_a_pipe_gets_a_line_for_each_change_and_the_counts_until_the_jobs_have_ended(
    local_hosts: Hosts, go: Path
) -> None:
    for host in ("here", "too"):
        start(local_hosts, "dump", waiting_for(go, "exit 3" if host == "too" else "true"), on=host)
    start(local_hosts, "other", "true")
    with watching(local_hosts, "dump") as (process, said):
        lines = [said.readline() for _ in range(3)]
        go.touch()
        lines += list(said)
        assert process.wait(60) == 2
    reported = "".join(re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in lines)
    assert re.search(r"^here  running      dump  dump  \d", reported, re.MULTILINE)
    assert re.search(r"^2 running; longest running: dump on \w+, \d+\.\ds$", reported, re.MULTILINE)
    assert re.search(r"^here  succeeded    dump  dump  rc=0", reported, re.MULTILINE)
    assert re.search(r"^too  failed       dump  dump  rc=3", reported, re.MULTILINE)
    assert reported.endswith("1 succeeded, 1 failed\n")
    assert "other" not in reported


def test_without_a_name_it_goes_on_and_ctrl_c_ends_it_and_no_job(local_hosts: Hosts, go: Path) -> None:
    start(local_hosts, "one", waiting_for(go))
    with watching(local_hosts) as (process, said):
        await_line(said, "1 running")
        start(local_hosts, "two", waiting_for(go), on="too")
        await_line(said, "2 running")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert local_hosts.call("status", "one", "-l", "here").out.count("running") == 1
    go.touch()


def await_line(lines: Iterable[str], words: str) -> None:
    assert any(words in line for line in lines)


def test_a_name_that_no_job_has_is_no_success(local_hosts: Hosts) -> None:
    ended = local_hosts.call_in_a_process("watch", "nihgtly")
    assert (ended.code, ended.err) == (2, "no job there is like nihgtly\n")


def test_polls_of_zero_seconds_are_bad_use(local_hosts: Hosts) -> None:
    assert local_hosts.call("watch", "-P", "0").code == 1


def test_a_host_that_cannot_be_reached_is_reported_beside_the_others(one_is_gone: Hosts) -> None:
    start(one_is_gone, "job", "sleep 30")
    with watching(one_is_gone) as (_, said):
        first = [said.readline() for _ in range(3)]
    one_is_gone.call("kill", "job", "-l", "here")
    assert any("gone  unreachable" in line for line in first)
    assert any("1 running" in line for line in first)


@pytest.mark.parametrize("name", [["none"], []])
def test_a_host_that_can_never_be_asked_is_reported_and_not_waited_for(tmp_path: Path, name: list[str]) -> None:
    odd = written(tmp_path, {"odd": {"ansible_connection": "carrier_pigeon"}})
    ended = odd.call_in_a_process("watch", *name, "-P", "1")
    assert ended.code == 1
    assert "ansible_connection is 'carrier_pigeon'" in ended.out


def on_screen(words: Sequence[str], *steps: tuple[str, Act]) -> tuple[int, str]:
    """`remotejobs watch` on a terminal."""
    return on_terminal("watch", *words, steps=steps, columns=120)


def test_a_terminal_shows_a_table_that_is_gone_when_q_is_pressed(hosts: Hosts, go: Path) -> None:
    start(hosts, "slow-1", waiting_for(go), on=hosts.names[0], label="slow job")
    code, seen = on_screen(["all", "-i", str(hosts.inventory)], ("slow-1", b"q"))
    go.touch()
    assert code == 0
    assert KEYS in seen
    left = seen.rpartition(MAIN_SCREEN)[2]
    assert left.startswith("1 running; longest running: slow job on ")
    assert KEYS not in left


def test_a_terminal_shows_why_a_host_cannot_be_asked_where_that_is_not_silence(tmp_path: Path) -> None:
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    hosts = written(tmp_path, {"odd": {"ansible_connection": "carrier_pigeon"}, "gone": gone})
    why = "no contact: gone; odd: ansible_connection is 'carrier_pigeon'"
    code, _ = on_screen(["all", "-i", str(hosts.inventory)], (why, b"q"))
    assert code == 1


def test_keys_choose_a_job_and_show_what_it_wrote_but_obey_nothing_of_it(local_hosts: Hosts, go: Path) -> None:
    start(local_hosts, "old", waiting_for(go))
    start(local_hosts, "new", f"echo new words; printf '\\033]0;owned\\007'; {waiting_for(go)}")
    where = ["here", "-P", "1", "-i", str(local_hosts.inventory)]
    _, seen = on_screen(where, ("2 running[^q]*new", DOWN + b"l"), ("new on here wrote:[^q]*new words", b"q"))
    go.touch()
    assert "\x1b]0;" not in seen
    assert r"\x1b]0;owned\x07" in seen


def test_a_kill_wants_a_yes_and_shows_the_proof(local_hosts: Hosts, go: Path) -> None:
    start(local_hosts, "doomed", waiting_for(go))
    words = ["here", "doom*", "-P", "1", "-i", str(local_hosts.inventory)]
    asked = "Kill doomed on here\\? y/n"
    on_screen(words, ("1 running", b"k"), (asked, b"n"), ("left alone", b"l"), ("wrote:[^q]*waiting", b"q"))
    assert local_hosts.call("status", "doomed", "-l", "here").out.count("running") == 1
    code, seen = on_screen(words, ("1 running", b"k"), (asked, b"y"))
    assert code == 2  # it did not succeed
    assert "1 killed" in seen.rpartition(MAIN_SCREEN)[2]
    assert "proven empty" in local_hosts.call("status", "doomed", "-l", "here").out


def test_the_terminal_is_as_before_when_ctrl_c_is_pressed(local_hosts: Hosts, go: Path) -> None:
    start(local_hosts, "slow", waiting_for(go))
    code, seen = on_screen(["here", "-i", str(local_hosts.inventory)], ("1 running", signal.SIGINT))
    go.touch()
    assert code == 130
    assert seen.rstrip().endswith(MAIN_SCREEN)
