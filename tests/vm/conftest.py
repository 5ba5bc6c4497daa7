"""One virtual machine for all tests here: each leaves it running, whatever it did to it.

With as few boots as there are things to be booted for: emulated, each takes a dozen
seconds of CPU.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.servers.vm.machine import Vm
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections, jobs_on, shell_of
from tests.vm.power_cut import AfterTheCut, cut_power
from tests.vm.units import install

# Building the image takes a minute or two, once.
LONGEST = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/vm/" in str(item.path):
            item.add_marker(pytest.mark.vm)
            item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.fixture(scope="package")
def vm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vm]:
    with Vm(tmp_path_factory.mktemp("vm")) as vm:
        yield vm
        connections().close()


@pytest.fixture(scope="package")
def access(vm: Vm) -> Access:
    """As root."""
    return Access(inventory=str(vm.write_inventory(vm.directory / "inventory.yml")))


@pytest.fixture(scope="package")
def ops(vm: Vm) -> Access:
    """As a user who becomes root by sudo."""
    return Access(inventory=str(vm.write_inventory(vm.directory / "ops.yml", user="ops")), become=True)


@pytest.fixture(scope="package")
def shell(vm: Vm, access: Access) -> Shell:
    return shell_of(access, vm.name)


@pytest.fixture(scope="package")
def jobs(vm: Vm, access: Access) -> HostJobs:
    return jobs_on(access, vm.name)


@pytest.fixture(scope="package")
def installed(shell: Shell) -> Shell:
    """A shell where the units of deployments/systemd are installed, and server and worker are enabled."""
    install(shell)
    return shell


@pytest.fixture(scope="package")
def after_the_cut(vm: Vm, jobs: HostJobs, installed: Shell) -> AfterTheCut:
    """The machine lost its power while jobs and units ran, and is back."""
    return cut_power(vm, jobs, installed)
