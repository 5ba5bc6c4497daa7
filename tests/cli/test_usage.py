"""Wrong arguments exit with 1, and the error names the right ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from remotejobs.cli.described import commands_of
from remotejobs.cli.main import build_parser
from tests.cli.conftest import Hosts
from tests.cli.running import in_a_process, remotejobs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "all"], "there is no command to run"),
        (["run", "all", "-B", "soon", "--", "true"], "'soon' is no duration"),
        (["run", "all", "-P", "0.5", "--", "true"], "poll every second at most"),
        (["run", "all", "-f", "0", "--", "true"], "at least 1"),
        (["run", "all", "--env", "x", "--", "true"], "'x' is not of the form NAME=VALUE"),
        (["run", "all", "--jid", "../x", "--", "true"], "jid '../x' is not allowed"),
        (["run", "nobody", "--", "true"], "no host or group is named 'nobody'"),
        (["status", "all", "../x"], "jid '../x' is not allowed"),
        (["status", "all", "x", "--", "true"], "only run takes a command"),
        (["wait", "all", "x", "-P", "0"], "would not wait"),
        (["clean", "all", "--keep", "-1"], "'-1' is no whole number from 0 on"),
        (["frobnicate"], "invalid choice"),
        ([], "no command is named"),
    ],
)
def test_bad_use_exits_1_and_says_why(local_hosts: Hosts, words: list[str], said: str) -> None:
    ended = remotejobs(*words, REMOTEJOBS_INVENTORY=str(local_hosts.inventory))

    assert ended.code == 1
    assert ended.out == ""
    assert said in ended.err


def test_bad_use_that_shows_late_ends_a_process_without_a_traceback(local_hosts: Hosts) -> None:
    ended = in_a_process("list", "all", "-bK", REMOTEJOBS_INVENTORY=str(local_hosts.inventory))

    assert (ended.code, ended.out) == (1, "")
    assert "there is no terminal to ask for sudo's password. Run it in a terminal, or set ansible_" in ended.err
    assert "Traceback" not in ended.err
    assert "Warning" not in ended.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["run", "all", "echo", "hi"], "remotejobs run all -- echo hi"),
        (["run", "all", "-P", "0", "echo", "a b", "all"], "remotejobs run all -P 0 -- echo 'a b' all"),
        (["run", "echo", "echo", "-n", "hi", "-b"], "remotejobs run echo -b -- echo -n hi"),
    ],
)
def test_a_command_without_the_dashes_is_answered_with_the_line_that_was_meant(words: list[str], meant: str) -> None:
    ended = remotejobs(*words)

    assert ended.code == 1
    assert ended.err.splitlines()[-1] == f"error: write the command after --: {meant}"


def test_every_command_that_changes_something_can_be_tried_dry() -> None:
    only_show = {"backups list", "hosts", "inventory", "list", "lock status", "log", "status", "wait"}
    by_hand = {"watch", "web"}  # a person confirms each action there
    about_itself = {"completion", "manual"}
    commands = commands_of(build_parser())
    dry = {each.words for each in commands if any("--dry-run" in option.names for option in each.options)}
    assert {each.words for each in commands} - dry == only_show | by_hand | about_itself


@pytest.mark.parametrize(
    ("words", "usage", "unknown"),
    [
        (["kill", "all", "x", "--frob"], "usage: remotejobs kill [-h]", "unknown: --frob"),
        (["run", "all", "--frob", "x", "--", "true"], "usage: remotejobs run PATTERN", "unknown: --frob x"),
        (["run", "all", "more", "--", "true"], "usage: remotejobs run PATTERN", "unknown: more"),
        (["status", "all"], "usage: remotejobs status [-h]", "required: JID"),
        (["status", "all", "x", "--", "true"], "usage: remotejobs status [-h]", "only run takes a command after --"),
        (["--frob"], "usage: remotejobs [-h]", "unknown: --frob"),
    ],
)
def test_wrong_words_are_answered_with_the_usage_of_their_subcommand(
    words: list[str], usage: str, unknown: str
) -> None:
    ended = remotejobs(*words)

    assert ended.code == 1
    assert ended.err.startswith(usage)
    assert ended.err.endswith(f"{unknown}\n")


def test_without_an_inventory_the_error_names_the_ways_to_give_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = remotejobs("hosts", "all")

    assert ended.code == 1
    assert (
        "Give one with -i, set $REMOTEJOBS_INVENTORY or $ANSIBLE_INVENTORY, or write inventories/hosts.yml here"
        in ended.err
    )
