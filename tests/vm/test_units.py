"""The units of deployments/systemd under a real systemd. For Prefect stands a program that tells how it was run."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.vm import Vm
from remotejobs.shell import Shell
from tests.awaiting import await_true

pytestmark = pytest.mark.faults

PROJECT = Path(__file__).resolve().parents[2]
UNITS = sorted((PROJECT / "deployments" / "systemd").iterdir())
SERVER, WORKER = "remotejobs-server.service", "remotejobs-worker@one.service"
SCALED = {"api": "remotejobs-api.service", "services": "remotejobs-services.service"}
SHARDS = "remotejobs-shards@one.service"

# Written to its own home, which also shows that it may; what is below it in the control group ends with it.
STAND_IN = """#!/bin/sh
ran=$PREFECT_HOME/$(basename "$(cat /proc/self/cgroup)")
{ echo "ran $(id -un) $PWD $*"; env; } > "$ran"
touch /tmp/mine
touch /opt/remotejobs/written 2>/dev/null && echo "writes the checkout" >> "$ran"
ls /home/ops > /dev/null 2>&1 && echo "reads homes" >> "$ran"
sleep 7777 &
exec sleep 8888
"""
PREPARING = """#!/bin/sh
echo "$*" > "$PREFECT_HOME/prepared"
"""


def put(shell: Shell, path: str, text: str, mode: str = "644") -> None:
    content = base64.b64encode(text.encode()).decode()
    assert (
        shell.run(f"mkdir -p $(dirname {path}) && echo {content} | base64 -d > {path} && chmod {mode} {path}").rc == 0
    )


def said(shell: Shell, script: str) -> str:
    answer = shell.run(script)
    assert answer.rc == 0, answer
    return answer.output


@pytest.fixture(scope="module")
def installed(vm: Vm, shell: Shell) -> Iterator[Shell]:
    """As docs/deployment.md says it."""
    document = (PROJECT / "docs" / "deployment.md").read_text()
    (user,) = [line.strip() for line in document.splitlines() if line.strip().startswith("useradd ")]
    said(shell, f"id remotejobs || {user}")
    for unit in UNITS:
        put(shell, f"/etc/systemd/system/{unit.name}", unit.read_text())
    put(shell, "/opt/remotejobs/.venv/bin/prefect", STAND_IN, "755")
    put(shell, "/opt/remotejobs/.venv/bin/python", PREPARING, "755")
    for settings in ("deployments/server.env", "deployments/scaled.env"):
        put(shell, f"/opt/remotejobs/{settings}", (PROJECT / settings).read_text())
    put(shell, "/etc/remotejobs/server.env", "PREFECT_SERVER_API_HOST=192.0.2.1\nDO_NOT_TRACK=2\n")
    put(shell, "/etc/remotejobs/worker.env", "PREFECT_API_URL=http://192.0.2.1:4200/api\n")
    said(shell, "systemctl daemon-reload")
    said(shell, f"systemctl enable --now {SERVER} {WORKER}")
    await_runs(shell, SERVER, WORKER)
    yield shell
    shell.run(
        f"systemctl disable --now {SERVER} {WORKER}; rm -rf /opt/remotejobs /etc/remotejobs; userdel -r remotejobs"
    )


def ran(unit: str) -> str:
    """The file in which the stand-in tells how this unit ran it."""
    home = {WORKER: "worker-one", SHARDS: "shards-one"}.get(unit, "server")
    return f"/var/lib/remotejobs/{home}/{unit}"


def await_runs(shell: Shell, *units: str) -> None:
    await_true(lambda: all(shell.run(f"grep -q ^PREFECT_HOME= {ran(unit)}").rc == 0 for unit in units))


def test_systemd_finds_nothing_to_say_about_them(installed: Shell) -> None:
    units = " ".join([SERVER, WORKER, SHARDS, *SCALED.values()])
    assert said(installed, f"systemd-analyze verify {units} 2>&1").strip() == ""


def test_they_run_as_their_user_with_the_settings_of_the_checkout_and_those_of_the_machine_win(
    installed: Shell,
) -> None:
    server = said(installed, f"cat {ran(SERVER)}").splitlines()
    assert server[0] == "ran remotejobs /opt/remotejobs --no-prompt server start"
    assert {"PREFECT_SERVER_API_HOST=192.0.2.1", "DO_NOT_TRACK=2", "HOME=/var/lib/remotejobs"} <= set(server)
    assert "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=deployments.patient_leases" in server
    worker = said(installed, f"cat {ran(WORKER)}").splitlines()
    wanted = "--no-prompt worker start --pool remotejobs --type process --name one --limit 20"
    assert worker[0] == f"ran remotejobs /opt/remotejobs {wanted}"
    assert {"PREFECT_API_URL=http://192.0.2.1:4200/api", "PREFECT_WORKER_QUERY_SECONDS=5", "DO_NOT_TRACK=1"} <= set(
        worker
    )


def test_the_server_can_write_its_own_directory_and_nothing_else_and_others_cannot_read_it(installed: Shell) -> None:
    server = said(installed, f"cat {ran(SERVER)}")
    assert "writes the checkout" not in server
    assert "reads homes" not in server
    for home in ("server", "worker-one"):
        assert said(installed, f"stat -c '%U %a' /var/lib/remotejobs/{home}").split() == ["remotejobs", "700"]
    assert installed.run("test -e /tmp/mine").rc != 0, "each has a temporary directory of its own"


def test_a_server_of_several_processes_takes_its_place_once_the_database_is_prepared(installed: Shell) -> None:
    said(installed, f"systemctl start {SHARDS} {' '.join(SCALED.values())}")
    await_runs(installed, SHARDS, *SCALED.values())
    assert installed.run(f"systemctl is-active {SERVER}").output.strip() == "inactive"
    assert said(installed, "cat /var/lib/remotejobs/server/prepared").strip() == "-m deployments.prepare"
    called = {"api": "server start --no-services --workers 2", "services": "server services start"}
    for name, unit in SCALED.items():
        told = said(installed, f"cat {ran(unit)}").splitlines()
        assert told[0] == f"ran remotejobs /opt/remotejobs --no-prompt {called[name]}"
        # Its settings win over those of the server of one process, and the machine's over both.
        assert "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=deployments.patient_redis_leases" in told
        assert {"PREFECT_MESSAGING_BROKER=prefect_redis.messaging", "DO_NOT_TRACK=2"} <= set(told)
        assert not {"writes the checkout", "reads homes"} & set(told)
    worker = said(installed, f"cat {ran(SHARDS)}").splitlines()
    wanted = "--no-prompt worker start --pool remotejobs-shards --type process --name one --limit 2"
    assert worker[0] == f"ran remotejobs /opt/remotejobs {wanted}"
    said(installed, f"systemctl stop {SHARDS}; systemctl start {SERVER}")
    states = installed.run(f"systemctl is-active {' '.join(SCALED.values())}").output.split()
    assert states == ["inactive"] * 2, "there is only one server"


@pytest.mark.parametrize("unit", [SERVER, WORKER])
def test_one_whose_main_process_is_killed_is_back_and_nothing_is_left_of_the_one_before(
    installed: Shell, unit: str
) -> None:
    def pids() -> set[str]:
        return set(
            installed.run(f"cat /sys/fs/cgroup$(systemctl show -P ControlGroup '{unit}')/cgroup.procs").output.split()
        )

    await_true(lambda: len(pids()) == 2)
    before = pids()
    said(installed, f"kill -9 $(systemctl show -P MainPID {unit})")
    await_true(lambda: len(pids() - before) == 2)
    assert not before & pids()
    assert said(installed, f"systemctl is-active {unit}").strip() == "active"


def test_both_are_back_after_a_power_cut(vm: Vm, installed: Shell) -> None:
    said(installed, "sync")
    vm.cut_power()
    vm.start()
    await_true(lambda: installed.run(f"systemctl is-active {SERVER} {WORKER}").output.split() == ["active"] * 2)
