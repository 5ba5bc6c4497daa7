"""One virtual machine for all tests here: each leaves it running, whatever it did to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.vm import Vm
from remotejobs.jobs import HostJobs
from remotejobs.shell import Shell
from tasks.access import Access
from tasks.connections import connections, jobs_on, shell_of
from tests.prefect_harness import prefect_harness

# Building the image takes a minute or two, once.
LONGEST = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/vm/" in str(item.path):
            item.add_marker(pytest.mark.vm)
            item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with prefect_harness(tmp_path_factory.mktemp("storage")):
        yield


@pytest.fixture(scope="session")
def vm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vm]:
    with Vm(tmp_path_factory.mktemp("vm")) as vm:
        yield vm
        connections().close()


@pytest.fixture(scope="session")
def access(vm: Vm) -> Access:
    """As root."""
    return Access(inventory=str(vm.write_inventory(vm.directory / "inventory.yml")))


@pytest.fixture(scope="session")
def ops(vm: Vm) -> Access:
    """As a user who becomes root by sudo."""
    return Access(inventory=str(vm.write_inventory(vm.directory / "ops.yml", user="ops")), become=True)


@pytest.fixture(scope="session")
def shell(vm: Vm, access: Access) -> Shell:
    return shell_of(access, vm.name)


@pytest.fixture
def jobs(vm: Vm, access: Access) -> HostJobs:
    return jobs_on(access, vm.name)
