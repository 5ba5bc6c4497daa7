"""Rolling updates of a real site: four application servers on four sshd hosts, HAProxy before them, under load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType
from prefect.client.schemas.objects import Artifact, State
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from flows.rolling_update import rolling_update
from lab.load import Load
from lab.site import WEB, Site
from tasks.access import Access
from tasks.connections import connections


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    mine = {
        PREFECT_LOCAL_STORAGE_PATH: tmp_path_factory.mktemp("storage"),
        PREFECT_SERVER_ANALYTICS_ENABLED: False,
    }
    with temporary_settings(mine), prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def site(tmp_path: Path, prefect_server: None) -> Iterator[Site]:
    with Site(tmp_path / "site") as site:
        yield site
        connections().close()


@pytest.fixture
def load(site: Site, tmp_path: Path) -> Load:
    """`with load:` asks the site all the while; the report is there afterwards."""
    return Load(site.haproxy.url, tmp_path / "load")


@dataclass(frozen=True)
class Ended:
    """How an update ended: its state, and its last table by host."""

    run_id: UUID
    state: State[Any]
    table: dict[str, dict[str, str]]

    @property
    def name(self) -> str:
        return self.state.name or ""

    def column(self, name: str) -> list[str]:
        return [self.table[host][name] for host in WEB]


def update(site: Site, version: str, *, hosts: str = "web", resume_from: str = "", **plan: Any) -> Ended:
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
    return Ended(run_id, state, table_of(run_id))


def parameters(site: Site, version: str, *, hosts: str = "web", resume_from: str = "", **plan: Any) -> str:
    """The parameters of such a run, as JSON."""
    access = {"inventory": str(site.inventory)}
    given = {"access": access, "hosts": hosts, "update": site.update(version, **plan), "resume_from": resume_from}
    return json.dumps(given)


def table_of(run_id: UUID) -> dict[str, dict[str, str]]:
    """The last table of a run, by host; empty when it made none."""
    if not (found := artifacts_of(run_id, "table")):
        return {}
    last = max(found, key=lambda artifact: str(artifact.created))
    assert isinstance(last.data, str)
    return {row["host"]: row for row in json.loads(last.data)}


def progress_of(run_id: UUID) -> object:
    """The per cent that the run's progress bar shows."""
    (bar,) = artifacts_of(run_id, "progress")
    return bar.data


def artifacts_of(run_id: UUID, kind: str) -> list[Artifact]:
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]), type=ArtifactFilterType(any_=[kind]))
    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=wanted)
