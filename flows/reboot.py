"""Reboot the hosts of a pattern, batch by batch: each is proven to have booted anew, or the rest is left alone."""

from __future__ import annotations

from remotejobs.operations.batches import Serial, batches
from remotejobs.operations.reboot import Reboot, Rebooted
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.dry_run import would_run
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, select_hosts
from remotejobs.prefect.tasks.jobs.reports import after_failures, publish_table
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.planned import reboots_of
from remotejobs.prefect.tasks.reboot import PROVEN_BY, reboot_host, row_of


@remote_flow("reboot", run_name="reboot {hosts}")
def reboot(
    access: Access,
    hosts: HostPattern,
    wanted: Reboot = PROVEN_BY,
    serial: Serial = 1,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
    dry_run: bool = False,
) -> list[Rebooted]:
    """Reboot every host of a pattern; stop after the first batch in which one does not come back.

    Args:
        access: Where the hosts are written down, and which user to become there: rebooting needs root.
        hosts: Hosts to reboot, as a pattern, in this order: web*, databases.
        wanted: With which command, and how long to wait.
        serial: How many at a time, as Ansible's serial: 2, 25%, or a list whose last element repeats.
        dry_run: Show which hosts would be rebooted in which batch, and run nothing.
    """
    names = select_hosts(access, hosts)
    if dry_run:
        return would_run(reboots_of(names, wanted, serial), access)
    done: list[Rebooted] = []
    for batch in batches(names, serial):
        rebooted, results = values_of("reboot", {host: reboot_host.submit(host, access, wanted) for host in batch})
        done += rebooted.values()
        rows = after_failures(results, [row_of(each) for each in done])
        publish_table("reboot", f"Reboots of {hosts}", rows)
        raise_for(results)
    return done
