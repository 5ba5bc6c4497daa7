"""Services in the background: started, verified, found again, stopped; on real hosts and on simulated ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State as RunState

from lab.job_files import kill_supervision
from lab.ports import free_ports
from remotejobs.model import Record, State
from remotejobs.operations.service import Service, check_service_once, jid_to_start
from remotejobs.prefect.flows.service import service as service_flow
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import host_of, jobs_on, shell_of
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.services import ServiceResult, Verification, service_row
from remotejobs.testing import FakeHosts, Plan
from tests.artifacts import table_of

SOON = Verification(retries=100, delay=0.1)
SIMULATED = Access(inventory="db1,db2")

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


def run(access: Access, service: Service, action: str, **more: Any) -> RunState[list[ServiceResult]]:
    state: RunState[list[ServiceResult]] = service_flow(
        access, "db1", service, action, **{"verify": SOON, **more}, return_state=True
    )
    return state


def test_a_service_is_started_verified_checked_and_stopped_with_proof(
    access: Access, wanted: Service, tmp_path: Path
) -> None:
    (started,) = run(access, wanted, "start").result()
    assert started.record
    pid = started.record.pid
    assert pid
    os.kill(pid, 0)
    asked_over_there = wanted.model_copy(update={"ask_from": "host"})
    for service in (wanted, asked_over_there):
        (tmp_path / "ill").touch()
        with pytest.raises(HostsFailed, match="status 503, wanted 200"):
            run(access, service, "check").result()
        (tmp_path / "ill").unlink()
        state = run(access, service, "check")
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
    why = check_service_once(wanted, host_of(access, "db1"), shell_of(access, "db1")).why
    assert why == f"nothing listens on port {wanted.port}"


WEB = Service(name="web", command="exec server", port=80)


@pytest.fixture
def listens(fake: FakeHosts) -> FakeHosts:
    """Simulated hosts where services go on until they are stopped, and port 80 is listened at."""
    fake.plan(".", Plan(lasts=None))
    fake.says(r"\nsv_check 80 ", "listens yes\nanswered\n")
    fake.says(r"\nsv_check 81 ", "listens no\nanswered\n")
    return fake


def test_starting_a_service_that_runs_finds_it_and_starting_it_after_a_stop_runs_it_anew(listens: FakeHosts) -> None:
    (first,) = run(SIMULATED, WEB, "start").result()
    (second,) = run(SIMULATED, WEB, "start").result()
    assert first.record and second.record and first.record.pid == second.record.pid
    run(SIMULATED, WEB, "stop")
    (third,) = run(SIMULATED, WEB, "start").result()
    assert third.record and third.record.pid != first.record.pid
    assert third.record.jid == "service.web.2"
    # And while it runs its name is taken.
    state = run(SIMULATED, WEB.model_copy(update={"command": "exec another"}), "start")
    with pytest.raises(HostsFailed, match="start on db1: .*is taken by another job"):
        state.result()
    assert [start.job.jid for start in listens.started()] == ["service.web.1", "service.web.2"]


def test_a_service_that_ends_at_once_is_not_waited_for_and_its_last_words_are_reported(listens: FakeHosts) -> None:
    listens.plan("brief", Plan(rc=3, stderr="no licence\n"))
    service = Service(name="brief", command="exec brief", port=81)
    with pytest.raises(HostsFailed, match=r"(?s)brief on db1: failed, rc 3.*no licence"):
        run(SIMULATED, service, "start", verify=Verification(retries=10000, delay=0.2)).result()


def test_a_service_that_never_listens_is_reported_with_its_port(listens: FakeHosts) -> None:
    service = Service(name="deaf", command="exec deaf", port=81)
    with pytest.raises(HostsFailed, match="nothing listens on port 81"):
        run(SIMULATED, service, "start", verify=Verification(retries=1, delay=0.1)).result()
    (started,) = listens.started()
    assert started.state is State.RUNNING


def test_one_that_was_never_started_is_not_up_and_stopping_it_is_fine(listens: FakeHosts) -> None:
    assert run(SIMULATED, WEB, "stop").result()[0].record is None
    with pytest.raises(HostsFailed, match="web on db1: it was never started"):
        run(SIMULATED, WEB, "check").result()


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
    kill_supervision(found.record)
    assert jid_to_start("orphan", jobs.list()) == found.record.jid
    (stopped,) = run(access, service, "stop").result()
    assert stopped.record and (stopped.record.survivors, stopped.record.proof) == ("", "scan")
    assert service_row(stopped)["state"] == "killed"
