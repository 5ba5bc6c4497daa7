"""The machine is switched off in the worst moments: afterwards nothing is believed that was not whole."""

from __future__ import annotations

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import State
from tests.vm.power_cut import WRITING, AfterTheCut

pytestmark = pytest.mark.faults


def test_a_result_that_was_cut_off_between_its_writing_and_the_disk_is_whole_or_not_believed(
    after_the_cut: AfterTheCut, jobs: HostJobs
) -> None:
    record = jobs.record(WRITING)
    assert (record.state, record.cause, record.rc) in [(State.LOST, "rebooted", None), (State.FAILED, "", 7)]


def test_of_jobs_that_run_and_end_when_the_power_goes_none_is_called_done_that_was_not(
    after_the_cut: AfterTheCut, jobs: HostJobs, shell: Shell
) -> None:
    lasting, crowd = after_the_cut.lasting, after_the_cut.crowd
    marks = set(shell.run("cd && ls").output.split())
    reported = {record.jid: record for record in jobs.list()}
    assert (reported[lasting.jid].state, reported[lasting.jid].cause) == (State.LOST, "rebooted")
    assert reported[crowd[0].jid].state is State.SUCCEEDED
    for job in crowd:
        record = reported[job.jid]  # each was on disk before it ran
        assert (record.state, record.cause) in [(State.SUCCEEDED, ""), (State.LOST, "rebooted")]
        assert record.state is State.LOST or job.jid in marks
    again = jobs.start(lasting)
    assert (again.attached, again.state) == (True, State.LOST), "it never runs twice"
