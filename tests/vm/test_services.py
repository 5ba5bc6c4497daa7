"""Real units of a real systemd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.servers.vm.machine import Vm
from remotejobs.agent.shell import Shell
from remotejobs.prefect.flows.restart_services import restart_services
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.errors import HostsFailed

UNITS = {
    "steady": "[Service]\nExecStart=/bin/sleep infinity\n",
    "other": "[Service]\nExecStart=/bin/sleep infinity\n",
    "once": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "brief": "[Service]\nExecStart=/bin/sleep 1\n",
    "looping": "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=1s\n",
}


@pytest.fixture
def units(shell: Shell) -> Iterator[None]:
    writes = [f"cat > /etc/systemd/system/{name}.service <<'EOT'\n{text}EOT" for name, text in UNITS.items()]
    assert shell.run("\n".join([*writes, "systemctl daemon-reload && systemctl start steady"])).rc == 0
    yield
    # The one that loops would keep the machine busy: where that is slow, systemd never finds that it starts too often.
    assert shell.run(f"systemctl stop {' '.join(UNITS)}").rc == 0


def test_units_are_restarted_side_by_side_and_those_that_do_not_stay_active_are_named(
    vm: Vm, ops: Access, shell: Shell, units: None, prefect_server: Path
) -> None:
    before = shell.run("systemctl show -p MainPID steady").output
    names = ["steady", "other", "once", "brief", "looping", "missing"]
    state = restart_services(ops, vm.name, names, stay_active=3, poll=1, return_state=True)
    with pytest.raises(HostsFailed) as raised:
        state.result()
    said = str(raised.value)
    assert said.startswith("3 of 6 failed\n")
    assert [line.split()[1] for line in said.splitlines() if line.startswith("restart ")] == [
        "brief",
        "looping",
        "missing",
    ]
    assert "brief: it is inactive" in said
    assert "Unit missing.service not found" in said
    assert shell.run("systemctl is-active steady other").output.split() == ["active", "active"]
    assert shell.run("systemctl show -p MainPID steady").output != before
