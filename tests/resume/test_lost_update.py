"""A rolling update whose worker and process are gone is cancelled: no host stays out of its balancer in silence."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from lab.prefect_api import Run
from lab.runs import last_table, start
from lab.site import WEB, Site
from remotejobs.model import Record, State
from tasks.access import Access
from tasks.connections import jobs_on
from tests.resume.conftest import Night, await_true, send
from tests.rolling.site_state import PATIENT, home
from tests.run_processes import processes

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Abandoned:
    """An update of two hosts at a time, cancelled when nobody was there to do it; of the two, web2 had become sick."""

    site: Site
    run: Run


@pytest.fixture(scope="module")
def abandoned(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abandoned]:
    night.prefect.end_workers()
    with ExitStack() as stack:
        site = stack.enter_context(Site(tmp_path_factory.mktemp("site")))
        victim = night.prefect.start_worker("updating")
        plan = site.update("2.0", deploy=PATIENT, serial=2)
        run = start(
            night.api, "rolling-update", {"access": {"inventory": str(site.inventory)}, "hosts": "web", "update": plan}
        )
        await_true(lambda: all((home(site, name) / "begun").exists() for name in WEB[:2]))
        assert [site.haproxy.status(name) for name in WEB[:2]] == ["DRAIN", "DRAIN"]
        send(signal.SIGKILL, [victim.pid, *processes(run.id)])
        site.applications["web2"].die()
        night.api.cancel(run)
        night.prefect.start_worker("successor")
        yield Abandoned(site, run)


def jobs_of(site: Site, run: Run, host: str) -> list[Record]:
    return [each for each in jobs_on(Access(inventory=str(site.inventory)), host).list() if str(run.id) in each.jid]


def test_its_jobs_are_proven_dead_healthy_hosts_are_back_and_the_others_named_when_it_shows_as_cancelled(
    night: Night, abandoned: Abandoned
) -> None:
    site, run = abandoned.site, abandoned.run
    ended = night.await_state(run, "Cancelled", "Completed", "Failed", "Crashed")
    assert ended.state
    assert ended.state.name == "Cancelled"
    assert str(ended.state.message).startswith("NOT PUT RIGHT: web2; its table `cancelled` tells why. ")
    assert f"`make repair RUN={run.id}` does it later" in str(ended.state.message)
    for name in WEB[:2]:
        deployed = [job for job in jobs_of(site, run, name) if job.label.startswith("deploy")]
        assert [(job.state, job.survivors) for job in deployed] == [(State.KILLED, "")]
    assert [site.haproxy.status(name) for name in WEB if name != "web2"] == ["UP"] * 3
    told = {row["host"]: row["what became of it"] for row in last_table(night.api, run, "cancelled")}
    assert told["web1"] == "it was put back, with version 1.0"
    assert "web2: is not healthy and stays out of the load balancer" in told["web2"]
    assert told["web3"] == told["web4"] == "the update never came to it"
