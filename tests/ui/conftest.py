"""The whole lab, as `make up` starts it, with shops to migrate."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from lab.demos.company import Company, open_company
from lab.demos.migration_demo import HOSTS
from lab.demos.shop import Shop
from lab.demos.stage import Stage, open_stage
from lab.screenshots.pictures import browser
from tests.prepared import prefect_server_in


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REMOTEJOBS_LAB_DIR", str(tmp_path_factory.mktemp("lab")))
        with open_stage(print, prefect=prefect_server_in) as stage:
            yield stage


@pytest.fixture(scope="package")
def company(stage: Stage) -> Iterator[Company]:
    with open_company(stage, print) as company:
        yield company


@pytest.fixture(scope="package")
def all_shops(stage: Stage) -> Shop:
    return Shop(stage.postgres)


@pytest.fixture
def shop(all_shops: Shop, stage: Stage) -> Shop:
    """Fresh databases on the hosts to be migrated."""
    for host in HOSTS:
        all_shops.open_on(stage.ssh.host(host))
    return all_shops


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A browser for all tests of a file. While it is open, no flow can run in the process of the tests."""
    with browser(height=1000, graphs=False) as page:
        yield page
