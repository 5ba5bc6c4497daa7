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


def test_of_jobs_that_run_and_end_when_the_power_goes_none_is_called_done_that_was_not(
    vm: Vm, jobs: HostJobs, shell: Shell
) -> None:
    # Its own mark is on disk before each ends: whoever is called succeeded must have left one.
    crowd = [
        Job(
            jid=f"crowd-{number}",
            cmd=f"sleep {number / 2}; touch $HOME/crowd-{number}; sync $HOME/crowd-{number} $HOME",
        )
        for number in range(12)
    ]
    for job in (lasting := Job(jid="lasting", cmd="echo begun; sleep 3600", limit=7200), *crowd):
        jobs.start(job)
    await_true(lambda: jobs.look(crowd[3].jid).finished)
    vm.cut_power()
    vm.start()
    marks = set(shell.run("cd && ls").output.split())
    told = {record.jid: record for record in jobs.list()}
    assert (told["lasting"].state, told["lasting"].cause) == (State.LOST, "rebooted")
    assert told[crowd[0].jid].state is State.SUCCEEDED
    for job in crowd:
        record = told[job.jid]  # each was on disk before it ran
        assert (record.state, record.cause) in [(State.SUCCEEDED, ""), (State.LOST, "rebooted")]
        assert record.state is State.LOST or job.jid in marks
    again = jobs.start(lasting)
    assert (again.attached, again.state) == (True, State.LOST), "it never runs twice"
