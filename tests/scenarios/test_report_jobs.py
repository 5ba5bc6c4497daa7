"""Jobs that nobody waits for, and the later look at how they ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.client.schemas.objects import State as RunState

from flows.examples.fire_and_forget import fire_and_forget
from flows.report_jobs import report_jobs
from lab.sshd import SshLab
from lab.webhook import Webhook
from remotejobs.model import Job
from tasks.access import Access
from tasks.connections import jobs_on
from tasks.ends import End
from tasks.errors import HostsFailed
from tests.artifacts import table_of


def report(access: Access, jobs: str, hosts: str) -> RunState[list[End]]:
    state: RunState[list[End]] = report_jobs(access, hosts, jobs, return_state=True)
    return state


def ended(access: Access, hosts: tuple[str, ...] = ("db1", "db2"), **jobs: str) -> None:
    """Start jobs by label, and wait for them as nobody would."""
    for host in hosts:
        for label, command in jobs.items():
            jid = f"{label}.{host}"
            jobs_on(access, host).start(Job(jid=jid, cmd=command, label=label))
            jobs_on(access, host).look(jid, wait=30)


def test_log_rotation_a_webhook_and_a_cache_are_started_and_how_they_ended_is_told_later(
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
        jobs_on(own_jobs, "db1").look(record.jid, wait=30)

    later = report(own_jobs, f"*{run}", "db1")

    rows = {row["step"]: row["state"] for row in table_of(later.state_details.flow_run_id)}
    assert rows == {"cache warm-up": "failed", "log rotation": "succeeded", "webhook": "succeeded"}
    assert (tmp_path / "app.log.1").exists()
    with pytest.raises(HostsFailed, match="(?s)1 of 3 failed\ncache warm-up on db1: failed, rc 4.*no cache here"):
        later.result()


def test_jobs_are_found_by_label_by_jid_and_by_the_beginning_of_a_jid(own_jobs: Access) -> None:
    ended(own_jobs, rotate="true", warm="true")
    for jobs in ("rotate", "rot*", "rotate.db?", "rotate.d"):
        assert {(end.host, end.step) for end in report(own_jobs, jobs, "all").result()} == {
            ("db1", "rotate"),
            ("db2", "rotate"),
        }


def test_what_still_runs_is_told_and_is_no_failure(own_jobs: Access) -> None:
    jobs_on(own_jobs, "db1").start(Job(jid="slow", cmd="sleep 300", label="slow"))
    (end,) = report(own_jobs, "slow", "all").result()
    jobs_on(own_jobs, "db1").kill("slow")
    assert (end.state, end.reason) == ("running", "still runs")


def test_a_name_that_no_job_has_is_a_failure(own_jobs: Access) -> None:
    with pytest.raises(HostsFailed, match="no job on all is like nihgtly: it was never started there, or was cleaned"):
        report(own_jobs, "nihgtly", "all").result()


def test_a_host_that_is_away_hides_no_other_and_is_named(own_jobs: Access, lab: SshLab) -> None:
    ended(own_jobs, rotate="true")
    lab.stop_host("db2")
    try:
        with pytest.raises(HostsFailed, match="1 of 2 unreachable\nlook on db2: "):
            report(own_jobs, "rotate", "db1:db2").result()
    finally:
        lab.start_host("db2")


def test_one_that_cannot_be_started_fails_at_once(own_jobs: Access, tmp_path: Path) -> None:
    (tmp_path / "db1").write_text("in the way")
    with pytest.raises(HostsFailed, match="1 of 1 failed\nlog rotation on db1: "):
        fire_and_forget(own_jobs, "db1", {"log rotation": "true"})
