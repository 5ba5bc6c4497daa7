"""Services in the background of real hosts: started, verified, found again, stopped."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State as RunState

from flows.service import service as service_flow
from lab.job_files import supervisor_of
from lab.ports import free_ports
from remotejobs.model import Record, State
from remotejobs.service import Service, jid_to_start
from tasks.access import Access
from tasks.connections import jobs_on
from tasks.errors import HostsFailed
from tasks.services import Found, Patience, service_row
from tests.artifacts import table_of

SOON = Patience(retries=100, delay=0.1)

SERVER = """
import http.server, pathlib, sys, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if pathlib.Path(sys.argv[2]).exists() else 200)
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


@pytest.fixture
def wanted(tmp_path: Path, access: Access) -> Iterator[Service]:
    """A web server that is ill while the file `ill` is there."""
    (tmp_path / "server.py").write_text(SERVER)
    (port,) = free_ports(1)
    service = Service(
        name=f"web-{port}",
        command=f"exec {sys.executable} {tmp_path}/server.py {port} {tmp_path}/ill",
        port=port,
        health=f"http://127.0.0.1:{port}/",
    )
    yield service
    run(access, service, "stop")


def run(access: Access, service: Service, action: str, **more: Any) -> RunState[list[Found]]:
    state: RunState[list[Found]] = service_flow(
        access, "db1", service, action, **{"patience": SOON, **more}, return_state=True
    )
    return state


def test_a_service_is_started_verified_checked_and_stopped_with_proof(access: Access, wanted: Service) -> None:
    (started,) = run(access, wanted, "start").result()
    assert started.record
    pid = started.record.pid
    assert pid
    os.kill(pid, 0)
    state = run(access, wanted, "check")
    (found,) = state.result()
    assert found.record and (found.record.pid, found.record.state) == (pid, State.RUNNING)
    (row,) = table_of(state.state_details.flow_run_id)
    assert (row["pid"], row["state"]) == (pid, "running")
    (stopped,) = run(access, wanted, "stop").result()
    assert stopped.record and "proven empty" in stopped.record.msg
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(HostsFailed, match="1 of 1 failed\nweb-.* on db1: killed"):
        run(access, wanted, "check").result()


def test_starting_a_service_that_runs_finds_it_and_starting_it_after_a_stop_runs_it_anew(
    access: Access, wanted: Service
) -> None:
    (first,) = run(access, wanted, "start").result()
    (second,) = run(access, wanted, "start").result()
    assert first.record and second.record and first.record.pid == second.record.pid
    run(access, wanted, "stop")
    (third,) = run(access, wanted, "start").result()
    assert third.record and third.record.pid != first.record.pid
    assert third.record.jid.endswith(".2")


def test_another_command_under_the_name_of_a_running_service_is_refused(access: Access, wanted: Service) -> None:
    run(access, wanted, "start")
    state = run(access, wanted.model_copy(update={"command": "exec sleep 300"}), "start")
    with pytest.raises(HostsFailed, match="start on db1: .*is taken by another job"):
        state.result()


def test_a_service_that_ends_at_once_is_not_waited_for_and_its_last_words_are_told(access: Access) -> None:
    service = Service(name="brief", command="echo no licence >&2; exit 3", port=1)
    with pytest.raises(HostsFailed, match=r"(?s)brief on db1: failed, rc 3.*no licence"):
        run(access, service, "start", patience=Patience(retries=10000, delay=0.2)).result()


def test_a_service_that_never_listens_is_told_by_its_port(access: Access) -> None:
    (port,) = free_ports(1)
    service = Service(name="deaf", command="exec sleep 300", port=port)
    with pytest.raises(HostsFailed, match=f"nothing listens on port {port}"):
        run(access, service, "start", patience=Patience(retries=1, delay=0.1)).result()
    run(access, service, "stop").result()


@pytest.mark.parametrize("ask_from", ["controller", "host"])
def test_a_service_that_answers_badly_is_not_up(access: Access, wanted: Service, tmp_path: Path, ask_from: Any) -> None:
    service = wanted.model_copy(update={"ask_from": ask_from})
    run(access, service, "start").result()
    (tmp_path / "ill").touch()
    with pytest.raises(HostsFailed, match="status 503, wanted 200"):
        run(access, service, "check").result()
    (tmp_path / "ill").unlink()
    run(access, service, "check").result()


def test_one_that_was_never_started_is_not_up_and_stopping_it_is_fine(access: Access) -> None:
    service = Service(name="absent", command="exec sleep 300")
    assert run(access, service, "stop").result()[0].record is None
    with pytest.raises(HostsFailed, match="absent on db1: it was never started"):
        run(access, service, "check").result()


def record(jid: str, state: State, **more: Any) -> Record:
    return Record(host="db1", jid=jid, state=state, **more)


def test_the_next_number_comes_after_the_newest_job_of_just_that_name() -> None:
    records = [
        record("service.web.9", State.KILLED),
        record("service.web.10", State.FAILED),
        record("service.web-2.30", State.RUNNING),
    ]
    assert jid_to_start("web", []) == "service.web.1"
    assert jid_to_start("web", records) == "service.web.11"
    assert jid_to_start("web-2", records) == "service.web-2.30"


def test_one_whose_supervisor_died_is_not_started_a_second_time_while_it_lives(access: Access) -> None:
    service = Service(name="orphan", command="exec sleep 300")
    (found,) = run(access, service, "start").result()
    assert found.record and found.record.pid
    jobs = jobs_on(access, "db1")
    os.kill(supervisor_of(found.record), 9)
    assert jid_to_start("orphan", jobs.list()) == found.record.jid
    (stopped,) = run(access, service, "stop").result()
    assert stopped.record and "proven empty" in stopped.record.msg
    assert service_row(stopped)["state"] == "killed"
