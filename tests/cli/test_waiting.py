"""Waiting while a host is unreachable, on a real sshd that is switched off and on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from remotejobs.errors import HostError, HostKeyChanged, TimedOut, Unreachable, UsageError
from remotejobs.inventory import load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.wait import retry_while_unreachable, wait_until_ended
from remotejobs.model import Job, Record, State
from tests.cli.conftest import Hosts


def fleet_of(hosts: Hosts, name: str) -> Fleet:
    return Fleet(load_inventory(hosts.inventory).select(name))


def test_a_host_that_comes_back_within_the_contact_timeout_is_unreachable_and_not_failed(
    lab: SshLab, ssh_hosts: Hosts, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    seen: list[Record] = []
    errors: list[HostError] = []

    def switch_off(record: Record) -> None:
        if not seen:
            lab.stop_host("db1")
        seen.append(record)

    def switch_on(error: HostError) -> None:
        if not errors:
            lab.start_host("db1")
            go.touch()
        errors.append(error)

    with fleet_of(ssh_hosts, "db1") as fleet:
        jobs = fleet.jobs("db1")
        jobs.start(Job(jid="lasting", cmd=f"until [ -e {go} ]; do sleep 0.1; done; echo through"))
        record = wait_until_ended(
            jobs, "lasting", poll=1, on_poll=switch_off, contact_timeout=120, on_unreachable=switch_on
        )

    assert record.state is State.SUCCEEDED
    assert record.stdout == b"through\n"
    assert {one.state for one in seen} == {State.RUNNING}
    assert errors


def test_a_host_that_stays_away_is_unreachable_when_the_contact_timeout_is_over(lab: SshLab, ssh_hosts: Hosts) -> None:
    def asked(jobs: HostJobs) -> None:
        wait_until_ended(jobs, "away", poll=1, contact_timeout=1, on_unreachable=errors.append)

    errors: list[HostError] = []
    with fleet_of(ssh_hosts, "db2") as fleet:
        jobs = fleet.jobs("db2")
        jobs.start(Job(jid="away", cmd="true"))
        fleet.close()
        lab.stop_host("db2")
        try:
            with pytest.raises(Unreachable):
                asked(fleet.jobs("db2"))
        finally:
            lab.start_host("db2")

    assert errors


def test_it_asks_again_until_the_host_answers() -> None:
    answers = iter([TimedOut("h", "no"), TimedOut("h", "no"), None])

    def ask() -> str:
        if error := next(answers):
            raise error
        return "answer"

    assert retry_while_unreachable(ask, contact_timeout=60) == "answer"


def test_a_changed_host_key_is_not_knocked_at_again() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise HostKeyChanged("h", "the key is another")

    with pytest.raises(HostKeyChanged):
        retry_while_unreachable(ask, contact_timeout=60)
    assert len(asked) == 1


def test_the_end_comes_with_64_kib_of_output_although_polls_bring_little(local_hosts: Hosts) -> None:
    with fleet_of(local_hosts, "here") as fleet:
        jobs = fleet.jobs("here")
        jobs.start(Job(jid="chatty", cmd="head -c 100000 /dev/zero"))
        record = wait_until_ended(jobs, "chatty", poll=1)

    assert len(record.stdout) == 65536
    assert record.stdout_bytes == 100000


def test_polling_without_a_pause_is_refused(local_hosts: Hosts) -> None:
    with fleet_of(local_hosts, "here") as fleet, pytest.raises(UsageError, match="at least 1 s"):
        wait_until_ended(fleet.jobs("here"), "any", poll=0)


def test_without_news_a_running_job_is_left_alone_until_it_ends(local_hosts: Hosts) -> None:
    with fleet_of(local_hosts, "here") as fleet:
        jobs = fleet.jobs("here")
        jobs.start(Job(jid="unseen", cmd="sleep 2"))
        polls: list[Record] = []
        record = wait_until_ended(jobs, "unseen", poll=1, news=False, on_poll=polls.append)

    assert (record.rc, polls) == (0, [])
