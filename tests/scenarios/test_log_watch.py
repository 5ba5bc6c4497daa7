"""A log is followed while another flow deploys, and what was written meanwhile is kept."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.schemas.objects import State as RunState
from prefect.runtime import flow_run

from flows.examples.watched_deploy import watched_deploy
from remotejobs.model import State
from tasks.access import Access
from tasks.cancel import kill_jobs_of
from tasks.cancel_report import JobEnd
from tasks.connections import jobs_on
from tasks.ends import End
from tasks.errors import HostsFailed
from tasks.log_watch import KEPT_BYTES, NotFollowing, Watched, log_watch, publish_watched, start_watch
from tasks.until import Until
from tests.artifacts import artifacts_of

OFTEN = Until(retries=600, delay=0.1)


def kept(run: UUID | None) -> dict[str, str]:
    """What was kept with a flow run, by host."""
    return {str(each.key).removeprefix("log-watch-"): str(each.data) for each in artifacts_of(run, "markdown")}


def deploy(access: Access, command: str, log: Path, hosts: str = "db1:db2") -> RunState[list[End]]:
    state: RunState[list[End]] = watched_deploy(access, hosts, command, str(log), OFTEN, return_state=True)
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
        assert (lines[0], lines[-1]) == ("````", "````")
        assert sorted(lines[1:-1]) == ["```started", "```started", "stopping", "stopping"]
        (watch,) = [job for job in jobs_on(own_jobs, host).list() if job.label.startswith("log watch")]
        assert (watch.state, watch.survivors) == (State.KILLED, "")


def quoted(path: Path) -> str:
    return f'"{path}"'.replace("$", "\\$")


def test_a_rotation_in_between_loses_nothing(own_jobs: Access, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("")
    # Where the kernel tells it nothing, tail looks once a second; what it had not seen then, a rotation takes away.
    rotate = f"echo old >> {log}; sleep 2; mv {log} {log}.1; echo new > {log}"
    state = deploy(own_jobs, rotate, log, "db1")
    assert "\nold\nnew\n" in kept(state.state_details.flow_run_id)["db1"]


def test_a_file_that_is_only_made_by_the_deployment_is_followed_from_its_first_line(
    own_jobs: Access, tmp_path: Path
) -> None:
    state = deploy(own_jobs, f"echo born > {tmp_path}/new.log", tmp_path / "new.log", "db1")
    assert "\nborn\n" in kept(state.state_details.flow_run_id)["db1"]


def test_the_log_of_a_deployment_that_fails_is_kept_and_the_failure_stays_the_failure(
    own_jobs: Access, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    state = deploy(own_jobs, f"echo no such table >> {log}; exit 9", log, "db1")
    assert "no such table" in kept(state.state_details.flow_run_id)["db1"]
    with pytest.raises(HostsFailed, match="deploy on db1: failed, rc 9"):
        state.result()


def test_what_cannot_be_followed_is_told_before_anything_is_deployed(own_jobs: Access, tmp_path: Path) -> None:
    touched = tmp_path / "deployed"
    with pytest.raises(HostsFailed, match="(?s)1 of 1 failed\nlog watch on db1: failed, rc 1.*Is a directory"):
        deploy(own_jobs, f"touch {touched}", tmp_path, "db1").result()
    assert not touched.exists()


def test_a_file_that_is_not_followed_in_time_is_an_error_and_nothing_goes_on_trying(
    own_jobs: Access, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")  # whoever opens it waits

    @flow
    def follow() -> None:
        start_watch(str(tmp_path / "pipe"), "db1", own_jobs, within=1)

    with pytest.raises(NotFollowing, match="/pipe is not followed after 1 s. The watch was killed after .* empty"):
        follow()
    (watch,) = jobs_on(own_jobs, "db1").list()
    assert (watch.state, watch.survivors) == (State.KILLED, "")


def test_a_retried_run_follows_anew_and_a_resumed_one_goes_on(own_jobs: Access, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("")

    @flow
    def twice() -> list[tuple[str, str]]:
        with log_watch(str(log), "db1", own_jobs) as (first,), log_watch(str(log), "db1", own_jobs) as (same,):
            pass
        with log_watch(str(log), "db1", own_jobs) as (next_one,):
            return [(first.jid, same.jid), (same.jid, next_one.jid)]

    (resumed, retried) = twice()
    assert resumed[0] == resumed[1]
    assert retried[0] != retried[1]


def test_only_the_end_of_very_much_is_kept_and_where_the_rest_is_is_told() -> None:
    @flow(name="much")
    def much() -> None:
        lines = b"x" * KEPT_BYTES
        publish_watched(Watched(host="db1", path="/log", lines=lines, total=2 * KEPT_BYTES, look="remotejobs log db1"))

    state = much(return_state=True)
    text = kept(state.state_details.flow_run_id)["db1"]
    assert text.startswith("The last 256.0 KiB of 512.0 KiB; all of it: `remotejobs log db1`\n\n```\nxx")


def test_cancelling_the_run_ends_the_watch(own_jobs: Access, tmp_path: Path) -> None:
    @flow
    def cancelled() -> list[JobEnd]:
        with log_watch(str(tmp_path / "app.log"), "db1", own_jobs):
            return kill_jobs_of({"access": own_jobs.model_dump(), "hosts": "db1"}, str(flow_run.id))

    (end,) = cancelled()
    assert end.label.startswith("log watch")
    assert "proven empty" in end.said
