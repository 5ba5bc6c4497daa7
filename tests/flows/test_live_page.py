"""From a run to its jobs on the live page and back, with a real server: links, forms, jobs that outlive their run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Running

from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.job import run_command
from remotejobs.testing import FakeHosts, Plan
from tests.artifacts import artifacts_of
from tests.web.serving import Served, served

HOSTS = Access(inventory="db1,db2")


@flow
def two_jobs() -> UUID:
    for host in ("db1", "db2"):
        run_command("true", host, HOSTS)
    assert flow_run.id
    return UUID(flow_run.id)


def test_a_run_is_attached_a_link_to_its_jobs_once(fake: FakeHosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMOTEJOBS_WEB_URL", "https://jobs.example/")
    run = two_jobs()
    (link,) = artifacts_of(run, "markdown")
    assert (link.key, link.data) == ("live-jobs", f"[Its jobs, live](https://jobs.example/?run={run})")


@pytest.mark.parametrize("address", ["", "jobs.example", "javascript:alert(1)"])
def test_without_the_address_of_a_page_there_is_no_link(
    fake: FakeHosts, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("REMOTEJOBS_WEB_URL", address)
    assert artifacts_of(two_jobs(), "markdown") == []


@flow(name="dump-all")
def dump_all(hosts: str, command: str) -> None:
    """Never run: a run of its deployment is put into states."""


@pytest.fixture
def run(prefect_server: Path) -> str:
    """A run of a deployment, which was cancelled while its jobs ran on."""
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(dump_all), name="dump-all")
        given = {"hosts": "all", "command": "dump"}
        run = client.create_flow_run_from_deployment(deployment, parameters=given, state=Running(), name="dump of all")
        client.set_flow_run_state(run.id, Cancelled(), force=True)
    return str(run.id)


@pytest.fixture
def page(run: str) -> Iterator[Served]:
    """The page of two hosts: the job of the run still runs on db1, and failed on db2."""
    fake = FakeHosts(Plan(lasts=None), real_time=True)
    fake.says("lk_check", "path /l\nfree\nanswered")
    fake.says("ct_list", "answered")
    fake.plan("dump", Plan(rc=1), on="db2")
    with Fleet(load_inventory("db1,db2").select("all"), connect=fake.connect) as fleet:
        job = Job(jid=f"dump.0123.{run}", cmd="dump", label="dump")
        assert all(result.value for result in fleet.each(lambda jobs: jobs.start(job)))
    with served(fake, "db1,db2", prefect={"PREFECT_API_URL": str(get_current_settings().api.url)}) as page:
        yield page


def test_the_page_leads_from_a_job_to_its_run_and_names_one_that_outlived_it(page: Served, run: str) -> None:
    stream = page.stream("/events")
    runs = stream.until(lambda name, said: name == "runs" and bool(said))
    assert (runs[run]["name"], runs[run]["state"], runs[run]["over"]) == ("dump of all", "Cancelled", True)
    assert runs[run]["page"].endswith(f"/v2/runs/flow-run/{run}")
    needs = stream.until(lambda name, said: name == "needs" and bool(said))
    (need,) = [need for need in needs if need["kind"] == "run is over"]
    assert (need["host"], need["page"]) == ("db1", runs[run]["page"])
    assert need["command"] == f"remotejobs kill db1 dump.0123.{run}"


def test_run_again_leads_to_the_form_of_the_deployment_with_the_hosts_that_failed(page: Served, run: str) -> None:
    page.stream("/events").until(lambda name, said: name == "runs" and bool(said))
    answer = page.ask(f"/runs/{run}/again")
    assert answer.status == 303
    form = unquote(answer.headers["Location"])
    assert "/v2/deployments/deployment/" in form
    assert form.endswith('/run?parameters={"hosts": "db2", "command": "dump"}')
    assert page.ask(f"/runs/{UUID(int=0)}/again").status == 404
