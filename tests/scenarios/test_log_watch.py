"""A log is followed while another flow deploys, and what was written meanwhile is kept."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.schemas.objects import State as RunState
from prefect.runtime import flow_run

from remotejobs.model import State
from remotejobs.prefect.flows.examples.watched_deploy import watched_deploy
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.cancel.cancel import kill_jobs_of
from remotejobs.prefect.tasks.cancel.report import CancelledJob
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.log_watch import (
    KEPT_BYTES,
    NotFollowing,
    WatchedLog,
    log_watch,
    publish_watched,
    start_watch,
)
from tests.artifacts import artifacts_of

OFTEN = Until(retries=600, delay=1)  # the waiting is done on the host, so an end is seen at once


def kept(run: UUID | None) -> dict[str, str]:
    """What was kept with a flow run, by host."""
    return {str(each.key).removeprefix("log-watch-"): str(each.data) for each in artifacts_of(run, "markdown")}


def deploy(access: Access, command: str, log: Path, hosts: str = "db1:db2") -> RunState[list[JobResult]]:
    state: RunState[list[JobResult]] = watched_deploy(access, hosts, command, str(log), OFTEN, return_state=True)
    return state


def test_what_is_written_while_another_flow_deploys_is_kept_and_nothing_of_before(
    own_jobs: Access, tmp_path: Path
) -> None:
    log = tmp_path / "app $x'.log"
    log.write_text("long ago\n")
    state = deploy(own_jobs, f"echo stopping >> {quoted(log)}; echo '```'; echo '```started' >> {quoted(log)}", log)
    assert state.is_completed()
    for host in ("db1", "db2"):
        lines = kept(state.state_details.flow_run_id)[host].split("\n")
        assert (lines[0], lines[-1]) == ("````text", "````")
        assert sorted(lines[1:-1]) == ["```started", "```started", "stopping", "stopping"]
        (watch,) = [job for job in jobs_on(own_jobs, host).list() if job.label.startswith("log watch")]
        assert (watch.state, watch.survivors) == (State.KILLED, "")


def quoted(path: Path) -> str:
    return f'"{path}"'.replace("$", "\\$")


@pytest.fixture(scope="module")
def failed_deploy(access: Access, tmp_path_factory: pytest.TempPathFactory) -> RunState[list[JobResult]]:
    """A deployment that makes its log, rotates it, and fails."""
    log = tmp_path_factory.mktemp("deploy") / "new.log"
    # Where the kernel sends it no event, tail polls once a second; a rotation removes what it had not read by then.
    rotates = f"echo born > {log}; echo no such table >> {log}; sleep 2; mv {log} {log}.1; echo new > {log}; exit 9"
    return deploy(access, rotates, log, "db1")


def test_a_rotation_in_between_loses_nothing(failed_deploy: RunState[list[JobResult]]) -> None:
    assert "\nno such table\nnew\n" in kept(failed_deploy.state_details.flow_run_id)["db1"]


def test_a_file_that_is_only_made_by_the_deployment_is_followed_from_its_first_line(
    failed_deploy: RunState[list[JobResult]],
) -> None:
    assert "```text\nborn\n" in kept(failed_deploy.state_details.flow_run_id)["db1"]


def test_the_log_of_a_deployment_that_fails_is_kept_and_the_failure_stays_the_failure(
    failed_deploy: RunState[list[JobResult]],
) -> None:
    assert "no such table" in kept(failed_deploy.state_details.flow_run_id)["db1"]
    with pytest.raises(HostsFailed, match="deploy on db1: failed, rc 9"):
        failed_deploy.result()


def test_what_cannot_be_followed_is_reported_before_anything_is_deployed(own_jobs: Access, tmp_path: Path) -> None:
    touched = tmp_path / "deployed"
    with pytest.raises(HostsFailed, match="(?s)1 of 1 failed\nlog watch on db1: failed, rc 1.*Is a directory"):
        deploy(own_jobs, f"touch {touched}", tmp_path, "db1").result()
    assert not touched.exists()


def test_a_file_that_is_not_followed_in_time_is_an_error_and_nothing_goes_on_trying(
    own_jobs: Access, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it blocks

    @flow
    def follow() -> None:
        start_watch(str(tmp_path / "pipe"), "db1", own_jobs, within=1)

    with pytest.raises(NotFollowing, match="/pipe is not followed after 1 s. The watch was killed after .* empty"):
        follow()
    (watch,) = jobs_on(own_jobs, "db1").list()
    assert (watch.state, watch.survivors) == (State.KILLED, "")


def test_a_retried_run_follows_anew_a_resumed_one_goes_on_and_cancelling_it_ends_the_watch(
    own_jobs: Access, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    log.write_text("")

    @flow
    def twice() -> tuple[list[str], list[CancelledJob]]:
        with log_watch(str(log), "db1", own_jobs) as (first,), log_watch(str(log), "db1", own_jobs) as (same,):
            pass
        with log_watch(str(log), "db1", own_jobs) as (anew,):
            ends = kill_jobs_of(UUID(flow_run.id))
        return [first.jid, same.jid, anew.jid], ends

    (first, resumed, retried), ends = twice()
    assert first == resumed != retried
    assert [end.label.startswith("log watch") and "proven empty" in end.said for end in ends] == [True, True]


def test_only_the_end_of_very_much_is_kept_and_the_place_of_the_rest_is_named() -> None:
    @flow(name="much")
    def much() -> None:
        lines = b"x" * KEPT_BYTES
        publish_watched(
            WatchedLog(host="db1", path="/log", lines=lines, total=2 * KEPT_BYTES, log_command="remotejobs log db1")
        )

    state = much(return_state=True)
    text = kept(state.state_details.flow_run_id)["db1"]
    assert text.startswith("The last 256.0 KiB of 512.0 KiB; all of it: `remotejobs log db1`\n\n```text\nxx")
