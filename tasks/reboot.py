"""Rebooting a host within a flow."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from remotejobs.model import State
from remotejobs.operations.reboot import Reboot, Rebooted, reboot
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import fleet_with
from remotejobs.prefect.tasks.jobs.reports import TableRow
from remotejobs.text import duration

PROVEN_BY = Reboot()


@task(task_run_name="reboot {host}", cache_policy=NO_CACHE)
def reboot_host(host: str, access: Access, wanted: Reboot = PROVEN_BY) -> Rebooted:
    """Reboot `host`, wait until it is back with another boot id, and log which jobs it lost.

    It is never tried again by itself: a second reboot is a person's decision. Raises `RebootRefused`, `NotBack` and
    `HostError`.
    """
    logger = get_run_logger()
    fleet = fleet_with(host, access)
    become = fleet.become(host, access.choice())
    rebooted = reboot(fleet.hosts[host], wanted, become=become, on_news=lambda news: logger.info("%s: %s", host, news))
    # The kept connection leads to a machine that is no more.
    fleet.connection(host).close()
    for record in rebooted.lost:
        logger.warning("%s on %s: %s (%s)", record.label or record.jid, host, record.state, record.cause)
    return rebooted


def row_of(rebooted: Rebooted) -> TableRow:
    """One row of the table of reboots."""
    lost = ", ".join(f"{record.label or record.jid}: {record.state} ({record.cause})" for record in rebooted.lost)
    return {
        "host": rebooted.host,
        "state": State.SUCCEEDED,
        "took": duration(rebooted.seconds),
        "boot id before": rebooted.before,
        "boot id after": rebooted.after,
        "jobs lost": lost,
    }
