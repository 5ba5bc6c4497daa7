"""An upgrade of a machine that then wants to be rebooted, and is."""

from __future__ import annotations

import base64
from pathlib import Path

from lab.servers.packages.debian import Repository
from lab.servers.vm.machine import Vm
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from remotejobs.operations.reboot import Reboot
from remotejobs.operations.upgrade import Upgrade, reboot_need
from remotejobs.prefect.flows.upgrade import upgrade
from remotejobs.prefect.tasks.access import Access

# The machine may be slow to let somebody in.
PLAN = Upgrade(rebooting=Reboot(connect_timeout=30))
WANTS_REBOOT = "echo kernel >> /var/run/reboot-required.pkgs; touch /var/run/reboot-required"


def put(shell: Shell, repository: Repository) -> None:
    shell.run("mkdir -p /srv/repository && rm -f /srv/repository/*")
    for file in repository.directory.iterdir():
        content = base64.b64encode(file.read_bytes()).decode()
        assert shell.run(f"base64 -d > /srv/repository/{file.name} <<'EOT'\n{content}\nEOT").rc == 0


def test_a_host_is_upgraded_and_rebooted_only_when_it_says_that_it_needs_it(
    vm: Vm, ops: Access, shell: Shell, jobs: HostJobs, prefect_server: Path, tmp_path: Path
) -> None:
    repository = Repository(tmp_path)
    repository.add("kernel", "1.0")
    put(shell, repository)
    source = "deb [trusted=yes] file:/srv/repository ./"
    assert shell.run(f"echo '{source}' > /etc/apt/sources.list; dpkg -i /srv/repository/kernel_1.0_all.deb").rc == 0
    jobs.start(Job(jid="beside-the-upgrade", cmd="sleep 3600"))
    repository.add("kernel", "2.0", postinst=WANTS_REBOOT)
    put(shell, repository)

    (report,) = upgrade(ops, vm.name, PLAN, 1)
    assert [str(change) for change in report.changes] == ["kernel 1.0 → 2.0"]
    assert (report.outcome, report.reboot) == ("upgraded", "kernel")
    assert report.rebooted
    assert report.lost == ("beside-the-upgrade",)
    record = jobs.record("beside-the-upgrade")
    assert (record.state, record.cause) == (State.LOST, "rebooted")

    boot = shell.run("cat /proc/sys/kernel/random/boot_id").output
    (again,) = upgrade(ops, vm.name, PLAN, 1)
    assert (again.outcome, again.rebooted) == ("nothing to do", None)
    assert shell.run("cat /proc/sys/kernel/random/boot_id").output == boot
    assert again.reboot.startswith("unknown: nothing there would make /var/run/reboot-required")

    hook = "/etc/kernel/postinst.d/unattended-upgrades"
    shell.run(f"mkdir -p /etc/kernel/postinst.d; touch {hook}")
    assert reboot_need(shell).needed is False
    shell.run(f"rm {hook}")
