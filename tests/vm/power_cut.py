"""One power cut for all that has to be true after one, for each costs a boot."""

from __future__ import annotations

from dataclasses import dataclass

from lab.servers.vm.machine import Vm
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job
from tests.awaiting import await_there
from tests.vm.stopping import stop_at_sync

WRITING = "cut-at-writing"


@dataclass(frozen=True, slots=True)
class AfterTheCut:
    """What ran when the power went: a job that would have gone on, and a crowd of which some had ended.

    Nobody had brought the result of the job `WRITING` to disk yet, neither its bytes nor its name.
    """

    lasting: Job
    crowd: tuple[Job, ...]


def cut_power(vm: Vm, jobs: HostJobs, shell: Shell) -> AfterTheCut:
    """Let jobs run, and end, and one come to that point; then the power goes, and comes back."""
    # Its own mark is on disk before each ends: a job that is called succeeded must have left one.
    crowd = [
        Job(
            jid=f"crowd-{number}",
            cmd=f"sleep {number / 2}; touch $HOME/crowd-{number}; sync $HOME/crowd-{number} $HOME",
        )
        for number in range(12)
    ]
    lasting = Job(jid="lasting", cmd="echo started; sleep 3600", timeout=7200)
    with stop_at_sync(shell, {WRITING: "result"}) as await_stopped:
        jobs.start(Job(jid=WRITING, cmd="exit 7"))
        await_stopped()
        for job in (lasting, *crowd):
            jobs.start(job)
        await_there(shell, f"test -e .remotejobs/{crowd[3].jid}/result")
        vm.cut_power()
        vm.start()
    return AfterTheCut(lasting, tuple(crowd))
