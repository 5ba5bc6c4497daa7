from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import Hosts
from tests.cli.running import environment, in_a_process

REPORT = """
import json, sys
from remotejobs.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def imported(*words: str) -> set[str]:
    """The modules that a successful command line loaded."""
    done = subprocess.run([sys.executable, "-c", REPORT, *words], capture_output=True, env=environment(), timeout=60)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    assert not imported(*words) & {"prefect", "paramiko", "rich", "jinja2", "asyncio"}


def test_a_command_loads_nothing_of_what_only_others_do() -> None:
    others = {
        "operations.transfer",
        "cli.transfers",
        "agent.shell",
        "agent.functions",
        "jobs.summary",
        "jobs.snapshot",
        "cli.live.watching",
    }
    assert not imported("run", "--help") & {f"remotejobs.{name}" for name in others}


@pytest.mark.parametrize("words", [["hosts"], ["list"], ["run", "--json"]])
def test_local_hosts_and_pipes_need_neither_paramiko_nor_rich(local_hosts: Hosts, words: list[str]) -> None:
    after = ["--", "true"] if words[0] == "run" else []
    found = imported(words[0], "all", *words[1:], "-i", str(local_hosts.inventory), *after)

    assert not found & {"prefect", "paramiko", "rich", "jinja2"}


def test_ssh_and_a_pipe_need_no_rich(ssh_hosts: Hosts) -> None:
    found = imported("list", "all", "-i", str(ssh_hosts.inventory))

    assert "paramiko" in found
    assert not found & {"prefect", "rich", "jinja2"}


def test_the_version_is_printed() -> None:
    ended = in_a_process("--version")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("remotejobs ")


# Most tests of this directory run the command line in their own process: two show that it is the same in another.
def test_a_process_of_its_own_writes_and_exits_as_main_does(ssh_hosts: Hosts) -> None:
    words = ["all", "-i", str(ssh_hosts.inventory)]
    run = in_a_process("run", *words, "--json", "--jid", "j", "--", "echo out; echo err >&2; exit 3")

    assert [(one["rc"], one["stdout"], one["stderr"]) for one in run.objects] == [(3, "out\n", "err\n")] * 3
    assert (run.code, run.err) == (2, "")
    assert in_a_process("status", *words, "nothing-here") == ssh_hosts.call("status", "nothing-here")


def test_a_process_of_its_own_exits_4_where_a_host_is_unreachable(one_is_gone: Hosts) -> None:
    ended = in_a_process("list", "all", "-i", str(one_is_gone.inventory))

    assert (ended.code, ended.err[:28]) == (4, "error: gone: nothing listens")
    assert ended == one_is_gone.call("list")
