"""What shards and the run that was split learn of each other through a real server, when too many hosts failed."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from remotejobs.model import Job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import reached_by
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.run_steps import run_steps
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.runs.shards import WHOLE, Shard
from remotejobs.prefect.tasks.shards.failures import failed_hosts, publish_failed
from remotejobs.prefect.tasks.shards.halt import NotStarted, halt, raise_if_halted
from remotejobs.testing import FakeHosts, Plan

HOSTS = ("db1", "db2", "files1")


def shard(of: str) -> Shard:
    return Shard(of=of, number=2, total=3, hosts=HOSTS)


@flow
def split(why: str) -> str:
    if why:
        halt(why)
    return str(flow_run.id)


@flow
def begin(mine: Shard) -> None:
    raise_if_halted(mine)


@flow
def watched(group: int) -> str:
    work = Job(jid=uuid4().hex, cmd="x", label="work")
    run_steps(
        [JobStep(work, host, Until(retries=9, delay=0.2)) for host in HOSTS],
        Access(inventory=",".join(HOSTS)),
        group=group,
        on_failed=publish_failed,
    )
    return str(flow_run.id)


def test_a_shard_that_got_its_forks_after_its_run_was_stopped_is_not_begun() -> None:
    with pytest.raises(NotStarted, match="^shard 2 of 3 is not started: 7 of 60 hosts failed, 6 may"):
        begin(shard(split("7 of 60 hosts failed, 6 may")))


def test_one_of_a_run_that_was_not_stopped_begins_and_so_does_a_run_that_is_no_shard() -> None:
    begin(shard(split("")))
    begin(WHOLE)


@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("how", [Plan(refused="no space left"), Plan(rc=3)])
def test_hosts_that_failed_count_while_their_shard_is_under_way(group: int, how: Plan) -> None:
    fake = FakeHosts()
    fake.plan(".", how, on="db2")
    with reached_by(fake.connect):
        run = watched(group)
    with get_client(sync_client=True) as client:
        assert failed_hosts(client, [UUID(run)]) == {"db2"}
