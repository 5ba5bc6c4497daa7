"""The whole lab, as `make up` starts it, with shops to migrate."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.migration_demo import HOSTS
from lab.shop import Shop
from lab.stage import Stage, open_stage
from tests.flows.conftest import webhook

__all__ = ["webhook"]


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REMOTEJOBS_LAB_DIR", str(tmp_path_factory.mktemp("lab")))
        with open_stage(print) as stage:
            yield stage


@pytest.fixture(scope="session")
def all_shops(stage: Stage) -> Shop:
    return Shop(stage.postgres)


@pytest.fixture
def shop(all_shops: Shop, stage: Stage) -> Shop:
    """Fresh databases on the hosts to be migrated."""
    for host in HOSTS:
        all_shops.open_on(stage.ssh.host(host))
    return all_shops
