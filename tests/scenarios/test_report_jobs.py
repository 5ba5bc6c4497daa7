"""Jobs that nothing waits for, and the later report of how they ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.client.schemas.objects import State as RunState

from lab.servers.web.webhook import Webhook
from remotejobs.model import Job
from remotejobs.prefect.flows.examples.fire_and_forget import fire_and_forget
from remotejobs.prefect.flows.report_jobs import report_jobs
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.monitor import survey
from remotejobs.testing import FakeHosts, Plan
from tests.artifacts import table_of


def report(access: Access, jobs: str, hosts: str) -> RunState[list[JobResult]]:
    state: RunState[list[JobResult]] = report_jobs(access, hosts, jobs, return_state=True)
    return state


def test_log_rotation_a_webhook_and_a_cache_are_started_and_how_they_ended_is_reported_later(
    own_jobs: Access, webhook: Webhook, tmp_path: Path
) -> None:
    (tmp_path / "app.log").write_text("line\n" * 1000)
    (tmp_path / "logrotate.conf").write_text(f"{tmp_path}/app.log {{\n  rotate 3\n}}\n")
    tmp_path.chmod(0o700)
    post = f"curl -fsS -X POST -H 'Content-Type: application/json' -d '{{\"text\": \"started\"}}' {webhook.url}"
    commands = {
        "log rotation": f"/usr/sbin/logrotate -f -s {tmp_path}/state {tmp_path}/logrotate.conf",
        "webhook": post,
        "cache warm-up": "echo no cache here >&2; exit 4",
    }
    state = fire_and_forget(own_jobs, "db1", commands, return_state=True)
    run = state.state_details.flow_run_id
    assert webhook.next() == {"text": "started"}
    for end in state.result():
        assert end.state == "running"
    for record in jobs_on(own_jobs, "db1").list():
        jobs_on(own_jobs, "db1").record(record.jid, wait=30)

    later = report(own_jobs, f"*{run}", "db1")

    rows = {row["step"]: row["state"] for row in table_of(later.state_details.flow_run_id)}
    assert rows == {"cache warm-up": "failed", "log rotation": "succeeded", "webhook": "succeeded"}
    assert (tmp_path / "app.log.1").exists()
    with pytest.raises(HostsFailed, match="(?s)1 of 3 failed\ncache warm-up on db1: failed, rc 4.*no cache here"):
        later.result()


SIMULATED = Access(inventory="db1,db2")


@pytest.fixture
def rotated(fake: FakeHosts) -> FakeHosts:
    """Simulated hosts, each with two jobs that ended well and were started without a caller that waits for them."""
    for host in ("db1", "db2"):
        for label in ("rotate", "warm"):
            jobs_on(SIMULATED, host).start(Job(jid=f"{label}.{host}", cmd=label, label=label))
    return fake


def test_jobs_are_found_by_label_by_jid_and_by_the_beginning_of_a_jid(rotated: FakeHosts) -> None:
    wanted = {("db1", "rotate"), ("db2", "rotate")}
    for jobs in ("rotate", "rot*", "rotate.db?", "rotate.d"):
        found = survey.fn(SIMULATED, "all", jobs, output=True)
        assert {(record.host, record.label) for record in found.records} == wanted
    assert {(end.host, end.step) for end in report(SIMULATED, "rot*", "all").result()} == wanted


def test_what_still_runs_is_reported_and_is_no_failure(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=None))
    jobs_on(SIMULATED, "db1").start(Job(jid="slow", cmd="sleep 300", label="slow"))
    (end,) = report(SIMULATED, "slow", "all").result()
    assert (end.state, end.reason) == ("running", "still runs")


def test_a_name_that_no_job_has_is_a_failure(fake: FakeHosts) -> None:
    with pytest.raises(HostsFailed, match="no job on all is like nihgtly: it was never started there, or was cleaned"):
        report(SIMULATED, "nihgtly", "all").result()


def test_a_host_that_is_away_hides_no_other_and_is_named(rotated: FakeHosts) -> None:
    rotated.host("db2").unreachable()
    with pytest.raises(HostsFailed, match="1 of 2 unreachable\ncheck on db2: "):
        report(SIMULATED, "rotate", "all").result()


def test_one_that_cannot_be_started_fails_at_once(fake: FakeHosts) -> None:
    fake.plan(".", Plan(refused="no space left"))
    with pytest.raises(HostsFailed, match="1 of 1 failed\nlog rotation on db1: .*no space left"):
        fire_and_forget(SIMULATED, "db1", {"log rotation": "true"})
