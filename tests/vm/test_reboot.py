"""A machine that really reboots."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.servers.vm.machine import Vm
from remotejobs.agent.shell import Shell
from remotejobs.model import Job, State
from remotejobs.operations.reboot import NotBack, Reboot, RebootRefused, reboot
from remotejobs.prefect.flows.reboot import reboot as reboot_flow
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import host_of, jobs_on
from tests.artifacts import table_of
from tests.awaiting import await_true
from tests.rolling.events import when_logged

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def test_a_reboot_is_proven_by_its_boot_id_and_of_the_jobs_that_ran_those_it_ended_are_reported_as_lost(
    vm: Vm, ops: Access, shell: Shell, prefect_server: Path
) -> None:
    job = Job(jid="through-a-reboot", cmd="sleep 3600", label="long work")
    jobs = jobs_on(ops, vm.name)
    jobs.start(job)
    jobs.start(Job(jid="ends-just-before", cmd="until [ -e /root/go ]; do sleep 0.1; done"))

    def end_one() -> None:
        shell.run("touch /root/go")
        await_true(lambda: jobs.record("ends-just-before").finished)

    wanted = Reboot(connect_timeout=30, test_command="systemctl is-system-running --wait")
    with when_logged("these jobs end with it", end_one):
        state = reboot_flow(ops, vm.name, wanted, return_state=True)
    (rebooted,) = state.result()
    assert rebooted.before != rebooted.after == shell.run(BOOT_ID).output.strip()
    assert rebooted.test_output == "running"
    (lost,) = rebooted.lost
    assert (lost.jid, lost.state, lost.cause) == (job.jid, State.LOST, "rebooted")
    assert jobs.record(job.jid).state is State.LOST
    (row,) = table_of(state.state_details.flow_run_id)
    assert row["jobs lost"] == "long work: lost (rebooted)"


def test_a_reboot_that_is_not_allowed_is_refused_at_once_with_what_the_host_said(vm: Vm, ops: Access) -> None:
    host = host_of(ops, vm.name)
    with pytest.raises(RebootRefused, match="'shutdown -r now' failed with 1"):
        reboot(host, Reboot(), become=None)


def test_a_command_that_does_not_reboot_is_found_out_by_the_boot_id(vm: Vm, access: Access) -> None:
    with pytest.raises(NotBack, match="not back after 1 s: it was not rebooted: its boot id is the same"):
        reboot(host_of(access, vm.name), Reboot(command="true", timeout=1, connect_timeout=30))
