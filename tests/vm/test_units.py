"""The units of deployments/systemd under a real systemd. For Prefect stands a program that records how it was run."""

from __future__ import annotations

import pytest

from remotejobs.agent.shell import Shell
from tests.awaiting import await_there
from tests.vm.power_cut import AfterTheCut
from tests.vm.units import SCALED, SERVER, SHARDS, WORKER, await_runs, ran, said

pytestmark = pytest.mark.faults


def test_systemd_finds_nothing_to_say_about_them(installed: Shell) -> None:
    units = " ".join([SERVER, WORKER, SHARDS, *SCALED.values()])
    assert said(installed, f"systemd-analyze verify {units} 2>&1").strip() == ""


def test_they_run_as_their_user_with_the_settings_of_the_checkout_and_those_of_the_machine_win(
    installed: Shell,
) -> None:
    server = said(installed, f"cat {ran(SERVER)}").splitlines()
    assert server[0] == "ran remotejobs /opt/remotejobs --no-prompt server start"
    assert {"PREFECT_SERVER_API_HOST=192.0.2.1", "DO_NOT_TRACK=2", "HOME=/var/lib/remotejobs"} <= set(server)
    assert "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=remotejobs.workarounds.prefect.file_leases" in server
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
        reported = said(installed, f"cat {ran(unit)}").splitlines()
        assert reported[0] == f"ran remotejobs /opt/remotejobs --no-prompt {called[name]}"
        # Its settings win over those of the server of one process, and the machine's over both.
        assert "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=remotejobs.workarounds.prefect.redis_leases" in reported
        assert {"PREFECT_MESSAGING_BROKER=prefect_redis.messaging", "DO_NOT_TRACK=2"} <= set(reported)
        assert not {"writes the checkout", "reads homes"} & set(reported)
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
    processes = f"cat /sys/fs/cgroup$(systemctl show -P ControlGroup '{unit}')/cgroup.procs"
    await_there(installed, f"test $({processes} | wc -l) -eq 2")
    before = said(installed, processes).split()
    said(installed, f"kill -9 $(systemctl show -P MainPID {unit})")
    old = " ".join(f"-e {pid}" for pid in before)
    await_there(installed, f"test $({processes} | grep -vxF {old} | wc -l) -eq 2")
    assert not set(before) & set(said(installed, processes).split())
    assert said(installed, f"systemctl is-active {unit}").strip() == "active"


def test_both_are_back_after_a_power_cut(after_the_cut: AfterTheCut, shell: Shell) -> None:
    await_there(shell, f"systemctl is-active {SERVER} {WORKER}")
    await_runs(shell, SERVER, WORKER)
