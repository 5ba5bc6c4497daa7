"""Upgrade the packages of a fleet in batches: locks are waited for, dpkg is never broken off, reboots where needed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.operations.batches import batches
from remotejobs.operations.upgrade import HostUpgrade, Upgrade, UpgradeOutcome
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.dry_run import would_run
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, select_hosts
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.planned import upgrades_of
from remotejobs.prefect.tasks.upgrade import publish_changes, publish_upgrades, raise_for_upgrades, upgrade_batch

EVERYTHING = Upgrade()


@remote_flow("upgrade", run_name="upgrade {hosts}")
def upgrade(
    access: Access,
    hosts: HostPattern,
    upgrade: Upgrade = EVERYTHING,
    poll: Annotated[float, Field(ge=1)] = 15,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
    dry_run: bool = False,
) -> list[HostUpgrade]:
    """Upgrade the hosts of a pattern; the batch in which one fails is the last.

    Cancelling the run ends downloads; an installation that has started goes on to its end.

    Args:
        access: Where the hosts are written down, and which user to become there: upgrading needs root.
        hosts: Hosts to upgrade, as a pattern, in this order: web*, databases.
        upgrade: What to upgrade, in which batches, and whether to reboot.
        poll: Seconds between two polls of a running job.
        dry_run: Show what would run where, and run nothing.
    """
    names = select_hosts(access, hosts)
    if dry_run:
        return would_run(upgrades_of(names, upgrade), access)
    reports: list[HostUpgrade] = []
    every: list[HostUpgrade] = []
    for batch in batches(names, upgrade.serial):
        done = upgrade_batch(batch, access, upgrade, poll)
        reports += done
        for report in done:
            publish_changes(report)
        every = publish_upgrades(names, reports)
        if any(report.outcome is UpgradeOutcome.FAILED for report in done):
            break
    raise_for_upgrades(every)
    return every
