"""The machine is switched off in the worst moments: afterwards nothing is believed that was not whole."""

from __future__ import annotations

import pytest

from lab.vm import Vm
from remotejobs.jobs import HostJobs
from remotejobs.model import Job, State
from remotejobs.shell import Shell
from tests.awaiting import await_true
from tests.vm.stopping import stop_at_sync

pytestmark = pytest.mark.faults


def test_a_job_that_ran_when_the_power_went_is_told_as_lost_by_the_reboot(vm: Vm, jobs: HostJobs) -> None:
    jobs.start(Job(jid="in-the-dark", cmd="echo begun; sleep 3600", limit=7200))
    await_true(lambda: jobs.look("in-the-dark").stdout == b"begun\n")
    vm.cut_power()
    vm.start()
    record = jobs.look("in-the-dark")
    assert (record.state, record.cause) == (State.LOST, "rebooted")
    assert jobs.start(Job(jid="in-the-dark", cmd="echo begun; sleep 3600", limit=7200)).attached, "it never runs twice"


@pytest.mark.parametrize("at", ["result.", "."])
def test_a_result_whose_writing_was_cut_off_is_whole_or_not_believed(
    vm: Vm, jobs: HostJobs, shell: Shell, at: str
) -> None:
    """Cut before its bytes are on disk, and between its renaming and the directory's way to the disk."""
    jid = f"cut-at-{'writing' if at == 'result.' else 'renaming'}"
    with stop_at_sync(shell, at) as stopped:
        jobs.start(Job(jid=jid, cmd="exit 7"))
        await_true(stopped)
        vm.cut_power()
        vm.start()
    record = jobs.look(jid)
    if at == "result.":
        assert (record.state, record.cause) == (State.LOST, "rebooted")
    else:
        assert (record.state, record.cause, record.rc) in [(State.LOST, "rebooted", None), (State.FAILED, "", 7)]


def test_of_many_jobs_that_end_when_the_power_goes_none_is_called_done_that_was_not(
    vm: Vm, jobs: HostJobs, shell: Shell
) -> None:
    jids = [f"crowd-{number}" for number in range(12)]
    for number, jid in enumerate(jids):
        # Its own mark is on disk before it ends: whoever is called succeeded must have left one.
        jobs.start(Job(jid=jid, cmd=f"sleep {number / 2}; touch $HOME/{jid}; sync $HOME/{jid} $HOME"))
    await_true(lambda: jobs.look(jids[3]).finished)
    vm.cut_power()
    vm.start()
    marks = set(shell.run("cd && ls").output.split())
    told = {record.jid: record for record in jobs.list() if record.jid in jids}
    assert set(told) == set(jids), "each was on disk before it ran"
    assert told[jids[0]].state is State.SUCCEEDED
    assert told[jids[-1]].state is State.LOST
    for jid, record in told.items():
        assert (record.state, record.cause) in [(State.SUCCEEDED, ""), (State.LOST, "rebooted")]
        assert record.state is State.LOST or jid in marks
