from __future__ import annotations

import shlex
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests.cli.conftest import Hosts, written
from tests.cli.running import begin, remotejobs


def until_started(process: Popen[str], hosts: Hosts) -> Iterator[str]:
    """The lines up to the one that says that the last host has started."""
    assert process.stdout
    left = set(hosts.names)
    while left:
        line = process.stdout.readline()
        assert line, "it ended before all were started"
        if " started " in line:
            left.discard(line.split()[0])
        yield line


def test_ctrl_c_leaves_the_jobs_running_and_prints_the_commands_that_find_them(hosts: Hosts) -> None:
    process = begin("run", "all", "-i", str(hosts.inventory), "-P", "60", "--jid", "left", "--", "sleep 60")
    list(until_started(process, hosts))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)  # less than -P: it does not wait for the hosts

    assert process.returncode == 130
    assert "Traceback" not in err
    commands = [shlex.split(line) for line in err.splitlines() if line.startswith("  remotejobs ")]
    assert [words[1] for words in commands] == ["status", "wait", "log", "kill"]
    found = remotejobs(*commands[0][1:], "--json")
    assert [(one["host"], one["state"]) for one in found.objects] == [(name, "running") for name in hosts.names]
    assert remotejobs(*commands[3][1:]).code == 0


def test_the_commands_say_limit_and_user_again(local_hosts: Hosts) -> None:
    options = ["-l", "!too", "--become-user", "root", "-P", "0", "--jid", "said"]
    ended = local_hosts.call("run", *options, "--", "true")
    line = next(line for line in ended.out.splitlines() if line.startswith("  remotejobs status"))

    assert line == f"  remotejobs status all said -i {local_hosts.inventory} -l '!too' --become-user root"
    assert remotejobs(*shlex.split(line)[1:]).code == 0


def test_ctrl_c_while_waiting_or_following_ends_at_once_too(local_hosts: Hosts) -> None:
    local_hosts.call("run", "-l", "here", "-P", "0", "--jid", "held", "--", "echo started; sleep 60")
    process = begin("log", "here", "held", "--follow", "-i", str(local_hosts.inventory))
    assert process.stdout
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert f"remotejobs log here held -i {local_hosts.inventory}" in err
    assert local_hosts.call("kill", "held", "-l", "here").code == 0


@pytest.mark.parametrize(("command", "words"), [("run", ("-P", "60", "--", "sleep 60")), ("kill", ())])
def test_ctrl_c_does_not_wait_for_a_host_that_hangs_and_names_those_of_which_nothing_is_known(
    place: Path, command: str, words: tuple[str, ...]
) -> None:
    within = 300  # seconds; who waits for the host waits so long
    here = {"ansible_connection": "local", "remotejobs_dir": str(place / "here")}
    with socket.create_server(("127.0.0.1", 0)) as server:  # it takes connections, and says nothing
        options = f"-o ConnectTimeout={within} -o StrictHostKeyChecking=no"
        frozen = {"ansible_host": "127.0.0.1", "ansible_port": server.getsockname()[1]}
        hosts = written(place, {"here": here, "frozen": {**frozen, "ansible_ssh_common_args": options}})
        assert hosts.call("run", "-l", "here", "-P", "0", "--jid", "j", "--", "sleep 60").code == 0
        jid = ("j",) if command == "kill" else ("--jid", "k")
        process = begin(command, "all", *jid, "-i", str(hosts.inventory), *words)
        assert process.stdout
        while "here " not in process.stdout.readline():
            pass
        with server.accept()[0] as peer:
            assert peer.recv(1)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=within / 2)

    assert process.returncode == 130
    assert "there is not known: frozen\n" in err
