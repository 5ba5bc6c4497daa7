"""The fleet's jobs at one glance, and an alert, once, for each that was lost or takes too long."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from prefect.client.schemas.objects import State as RunState

from flows.monitor import monitor
from lab.job_files import supervisor_of
from lab.sshd import SshLab
from lab.webhook import Webhook
from remotejobs.alerts import Overdue
from remotejobs.model import Job
from tasks.access import Access
from tasks.connections import jobs_on
from tasks.monitor import Alarm, Survey
from tasks.notify import Notify
from tests.artifacts import artifacts_of

AT_ONCE = Overdue(hours=1e-9)


@pytest.fixture
def busy(own_jobs: Access) -> Iterator[Access]:
    """A host with a job that runs, one that succeeded and one that failed."""
    jobs = jobs_on(own_jobs, "db1")
    for jid, command in (("good", "true"), ("bad", "exit 3"), ("long", "sleep 300")):
        jobs.start(Job(jid=jid, cmd=command, label=f"{jid} job"))
    for jid in ("good", "bad"):
        jobs.look(jid, wait=30)
    yield own_jobs
    jobs.kill("long")


def watch(access: Access, overdue: Overdue | None = None, **more: Notify) -> RunState[Survey]:
    state: RunState[Survey] = monitor(access, "all", overdue or Overdue(), **more, return_state=True)
    return state


def lose(access: Access, jid: str) -> None:
    """Start a job and kill who watches over it."""
    record = jobs_on(access, "db1").start(Job(jid=jid, cmd="sleep 300", label="careless"))
    os.kill(supervisor_of(record), 9)


def test_what_runs_ended_and_failed_is_shown_with_what_runs_longest(busy: Access) -> None:
    state = watch(busy)
    assert state.is_completed()
    (shown,) = [each for each in artifacts_of(state.state_details.flow_run_id, "table") if each.key == "fleet"]
    assert shown.description
    assert shown.description.startswith("all: 1 running, 1 succeeded, 1 failed; longest running: long job on db1, ")
    assert [word for word in ("long", "bad", "good") if f'"jid": "{word}"' in str(shown.data)] == [
        "long",
        "bad",
        "good",
    ]


def test_a_lost_job_is_told_once_and_the_next_one_again(busy: Access, webhook: Webhook) -> None:
    whom = Notify(webhook=webhook.url)
    lose(busy, "first")
    with pytest.raises(Alarm, match="1 new alert\nlost on db1: careless: its supervising process .* first"):
        watch(busy, notify=whom).result()
    assert "lost on db1: careless" in webhook.next()["message"]
    assert watch(busy, notify=whom).is_completed()
    lose(busy, "second")
    with pytest.raises(Alarm, match="(?s)1 new alert\n.* second$"):
        watch(busy, notify=whom).result()
    for jid in ("first", "second"):
        jobs_on(busy, "db1").kill(jid)


def test_what_runs_too_long_is_overdue_unless_its_label_may_or_it_is_a_service(busy: Access) -> None:
    with pytest.raises(Alarm, match="1 new alert\noverdue on db1: long job: running for "):
        watch(busy, AT_ONCE).result()
    jobs_on(busy, "db1").start(Job(jid="service.web.1", cmd="sleep 300", label="web"))
    jobs_on(busy, "db1").start(Job(jid="other", cmd="sleep 300", label="long patience"))
    state = watch(busy, Overdue(hours=1e-9, labels={"long*": 1, "web": 1e-9}))
    for jid in ("service.web.1", "other"):
        jobs_on(busy, "db1").kill(jid)
    assert state.is_completed()


def test_a_silent_host_is_an_alert_and_what_was_told_of_it_is_not_told_anew_when_it_is_back(
    busy: Access, lab: SshLab
) -> None:
    lose(busy, "careless")
    assert watch(busy).is_failed()
    lab.stop_host("db1")
    try:
        with pytest.raises(Alarm, match="1 new alert\nnot asked on db1: "):
            watch(busy).result()
    finally:
        lab.start_host("db1")
    assert watch(busy).is_completed()
    jobs_on(busy, "db1").kill("careless")
