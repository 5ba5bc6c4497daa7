"""Rolling updates of a real site: four application servers on four sshd hosts, HAProxy before them, under load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State

from lab.load import Load
from lab.servers.web.site import WEB, LabSite
from remotejobs.prefect.flows.rolling_update import rolling_update
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections
from tests.artifacts import tables_of


@pytest.fixture
def site(tmp_path: Path, prefect_server: Path) -> Iterator[LabSite]:
    with LabSite(tmp_path / "site") as site:
        yield site
        connections().close()


@pytest.fixture
def load(site: LabSite, tmp_path: Path) -> Load:
    """`with load:` asks the site all the while; the report is there afterwards."""
    return Load(site.haproxy.url, tmp_path / "load")


def nothing_lost(load: Load) -> None:
    """Not one request was lost, of at least 200 a second."""
    assert load.report.failures == []
    assert load.report.rate >= 200, load.report


@dataclass(frozen=True)
class EndedUpdate:
    """How an update ended: its state, and its last table by host."""

    run_id: UUID
    state: State[Any]
    table: dict[str, dict[str, str]]

    @property
    def name(self) -> str:
        return self.state.name or ""

    def column(self, name: str) -> list[str]:
        return [self.table[host][name] for host in WEB]


def update(site: LabSite, version: str, *, hosts: str = "web", resume_from: str = "", **plan: Any) -> EndedUpdate:
    """Run the flow to its end."""
    state: State[Any] = rolling_update(
        access=Access(inventory=str(site.inventory)),
        hosts=hosts,
        update=site.update(version, **plan),
        resume_from=resume_from,
        return_state=True,
    )
    run_id = state.state_details.flow_run_id
    assert run_id
    # The last table, by host; empty when there is none.
    rows = (tables_of(run_id) or [[]])[-1]
    table = {str(row["host"]): {name: str(value) for name, value in row.items()} for row in rows}
    return EndedUpdate(run_id, state, table)


def parameters(site: LabSite, version: str, *, hosts: str = "web", resume_from: str = "", **plan: Any) -> str:
    """The parameters of such a run, as JSON."""
    access = {"inventory": str(site.inventory)}
    given = {"access": access, "hosts": hosts, "update": site.update(version, **plan), "resume_from": resume_from}
    return json.dumps(given)
