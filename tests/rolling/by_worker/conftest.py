"""The site, and a worker on the Prefect server that all flows of this process share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from lab.demos.site_stage import SiteStage, open_site
from lab.servers.prefect.server import PrefectServer
from remotejobs.prefect.tasks.connections import connections


@pytest.fixture(scope="package")
def stage(shared_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteStage]:
    directory = tmp_path_factory.mktemp("stage")
    with open_site(directory, lambda _line: None, prefect=nullcontext(shared_server)) as stage:
        yield stage
        shared_server.end_workers()
        connections().close()
