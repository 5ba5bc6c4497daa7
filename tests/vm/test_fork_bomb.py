"""A job that forks as fast as its user may; in a machine of its own, so that a mistake here harms nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.servers.vm.machine import Vm
from remotejobs.agent.shell import Shell
from remotejobs.model import Job, State
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on

pytestmark = pytest.mark.faults

# Each makes another one again and again, and one that may not ends. Nothing at all happens where no limit can be set.
BOMB = "ulimit -u 60 && bomb() { while :; do bomb & sleep 0.2; done; } && bomb"


def test_the_limit_of_a_fork_bomb_at_the_limit_of_processes_leaves_nobody(vm: Vm, shell: Shell, tmp_path: Path) -> None:
    jobs = jobs_on(Access(inventory=str(vm.write_inventory(tmp_path / "inventory.yml", user="ops"))), vm.name)
    jobs.start(Job(jid="bomb", cmd=BOMB, interpreter="/bin/bash", timeout=8, grace=1))
    record = jobs.record("bomb", wait=300)
    assert (record.state, record.survivors) == (State.TIMED_OUT, "")
    assert b"Resource temporarily unavailable" in record.stderr, "it did come to its limit"
    assert shell.run("pgrep -u ops -f 'remotejobs/bomb/[c]md'").rc == 1
