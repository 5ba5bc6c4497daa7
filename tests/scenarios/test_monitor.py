"""The fleet's jobs at one glance, and an alert, once, for each that was lost or takes too long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from prefect.client.schemas.objects import State as RunState

from lab.servers.web.webhook import Webhook
from remotejobs.model import Job
from remotejobs.operations.alerts import Overdue
from remotejobs.prefect.flows.monitor import monitor
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.monitor import Alarm, Survey
from remotejobs.prefect.tasks.notify import Notify
from remotejobs.testing import FakeHosts, Plan
from tests.artifacts import artifacts_of

AT_ONCE = Overdue(hours=1e-9)


@pytest.fixture
def busy(own_jobs: Access) -> Iterator[Access]:
    """A host with a job that runs, one that succeeded and one that failed."""
    jobs = jobs_on(own_jobs, "db1")
    for jid, command in (("good", "true"), ("bad", "exit 3"), ("long", "sleep 300")):
        jobs.start(Job(jid=jid, cmd=command, label=f"{jid} job"))
    for jid in ("good", "bad"):
        jobs.record(jid, wait=30)
    yield own_jobs
    jobs.kill("long")


def watch(access: Access, overdue: Overdue | None = None, **more: Notify) -> RunState[Survey]:
    state: RunState[Survey] = monitor(access, "db1", overdue or Overdue(), **more, return_state=True)
    return state


def test_what_runs_ended_and_failed_is_shown_with_what_runs_longest(busy: Access) -> None:
    state = watch(busy)
    assert state.is_completed()
    (shown,) = [each for each in artifacts_of(state.state_details.flow_run_id, "table") if each.key == "fleet"]
    assert shown.description
    assert shown.description.startswith("db1: 1 running, 1 succeeded, 1 failed; longest running: long job on db1, ")
    assert [word for word in ("long", "bad", "good") if f'"jid": "{word}"' in str(shown.data)] == [
        "long",
        "bad",
        "good",
    ]


@pytest.fixture
def simulated(fake: FakeHosts, tmp_path: Path) -> Access:
    """A simulated host with a job that runs. No other fleet has the name of its inventory, by which alerts are kept."""
    fake.plan(".", Plan(lasts=None))
    inventory = tmp_path / f"{uuid4().hex}.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"db1": None}}}))
    access = Access(inventory=str(inventory))
    start(access, "long", "long job")
    return access


def start(access: Access, jid: str, label: str) -> None:
    jobs_on(access, "db1").start(Job(jid=jid, cmd="work", label=label))


def test_a_lost_job_is_reported_once_and_the_next_one_again(
    simulated: Access, fake: FakeHosts, webhook: Webhook
) -> None:
    whom = Notify(webhook=webhook.url)
    start(simulated, "first", "careless")
    fake.loses("first")
    with pytest.raises(Alarm, match="1 new alert\nlost on db1: careless: its supervising process .* first"):
        watch(simulated, notify=whom).result()
    assert "lost on db1: careless" in webhook.next()["message"]
    assert watch(simulated, notify=whom).is_completed()
    start(simulated, "second", "careless")
    fake.loses("second")
    with pytest.raises(Alarm, match="(?s)1 new alert\n.* second$"):
        watch(simulated, notify=whom).result()


def test_what_runs_too_long_is_overdue_unless_its_label_may_or_it_is_a_service(simulated: Access) -> None:
    with pytest.raises(Alarm, match="1 new alert\noverdue on db1: long job: running for "):
        watch(simulated, AT_ONCE).result()
    start(simulated, "service.web.1", "web")
    start(simulated, "other", "long running")
    assert watch(simulated, Overdue(hours=1e-9, labels={"long*": 1, "web": 1e-9})).is_completed()


def test_a_silent_host_is_an_alert_and_its_earlier_alerts_are_not_repeated_when_it_is_back(
    simulated: Access, fake: FakeHosts
) -> None:
    fake.loses("long")
    assert watch(simulated).is_failed()
    fake.host("db1").unreachable()
    with pytest.raises(Alarm, match="1 new alert\nnot asked on db1: "):
        watch(simulated).result()
    fake.host("db1").reachable()
    assert watch(simulated).is_completed()
