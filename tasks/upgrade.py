"""One host's way through a package upgrade: fetched, installed, rebooted where that is needed."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from remotejobs.model import Job, Record
from remotejobs.operations.upgrade import (
    INSTALL,
    PREPARE,
    HostUpgrade,
    Upgrade,
    UpgradeOutcome,
    changes_of,
    install_job,
    prepare_job,
    reboot_need,
)
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on, shell_of
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.job import poll_until, start_job
from remotejobs.prefect.tasks.jobs.reports import TableRow, key_of, publish_table
from remotejobs.prefect.tasks.jobs.results import values_of
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.reboot import reboot_host
from remotejobs.text import duration, number_of, one_line

# Cancelling a run kills the jobs whose jids end in the run's id. This one must not be among them: a package manager is
# left to finish what it has started.
_NOT_CANCELLED = "finishes"


@task(task_run_name="upgrade {host}", cache_policy=NO_CACHE)
def upgrade_host(host: str, access: Access, plan: Upgrade, poll: float) -> HostUpgrade:
    """Upgrade the packages of one host, and reboot it where it says that it needs that.

    A retried flow run attaches to both jobs, and asks the host again whether it needs a reboot. Raises `JobFailed`,
    `RetriesExhausted` when the installation takes longer than `install_timeout` (it goes on), and `HostError`.
    """
    _run(prepare_job(plan, jid_for(PREPARE)), host, access, Until.outlasting(plan.prepare_timeout + 60, delay=poll))
    install = install_job(plan, f"{jid_for(INSTALL)}.{_NOT_CANCELLED}")
    installed = _run(install, host, access, Until.outlasting(plan.install_timeout, delay=poll))
    changes = changes_of(installed, jobs_on(access, host))
    outcome = UpgradeOutcome.UPGRADED if changes else UpgradeOutcome.CURRENT
    need = reboot_need(shell_of(access, host))
    if not need.needed or plan.reboot == "never":
        return HostUpgrade(host=host, outcome=outcome, changes=changes, reboot=str(need))
    get_run_logger().info("%s needs a reboot: %s", host, need.why or "it does not say why")
    back = reboot_host(host, access, plan.rebooting)
    lost = tuple(record.label or record.jid for record in back.lost)
    return HostUpgrade(host=host, outcome=outcome, changes=changes, reboot=str(need), rebooted=back.seconds, lost=lost)


def upgrade_batch(hosts: Sequence[str], access: Access, plan: Upgrade, poll: float) -> list[HostUpgrade]:
    """Upgrade some hosts side by side; one that fails stops no other, and its report says why."""
    runs = {host: upgrade_host.submit(host, access, plan, poll) for host in hosts}
    reports, ends = values_of("upgrade", runs)
    failed = [end for end in ends if not end.succeeded]
    return [
        *reports.values(),
        *(HostUpgrade(host=end.host, outcome=UpgradeOutcome.FAILED, reason=end.reason) for end in failed),
    ]


def publish_upgrades(hosts: Sequence[str], reports: Sequence[HostUpgrade]) -> list[HostUpgrade]:
    """The table of all hosts; returns a report for each of them, those not started included."""
    known = {report.host: report for report in reports}
    every = [known.get(host, HostUpgrade(host=host, outcome=UpgradeOutcome.NOT_STARTED)) for host in hosts]
    publish_table("upgrade", "Package upgrades", [_row(report) for report in sorted(every, key=_worst_first)])
    return every


def publish_changes(report: HostUpgrade) -> None:
    """What was changed on one host, package by package."""
    lines = [f"- `{change}`" for change in report.changes] or ["Nothing was changed."]
    title = f"{report.host}: {report.outcome}"
    create_markdown_artifact("\n".join(lines), key=key_of("upgrade", report.host), description=title)


def raise_for_upgrades(reports: Sequence[HostUpgrade]) -> None:
    """Raise `HostsFailed` when a host failed, or was not reached for it."""
    failed = [report for report in reports if report.outcome is UpgradeOutcome.FAILED]
    waiting = [report.host for report in reports if report.outcome is UpgradeOutcome.NOT_STARTED]
    if failed:
        lines = [f"{len(failed)} of {len(reports)} failed", *(f"{each.host}: {each.reason}" for each in failed)]
        lines += [f"not started: {', '.join(waiting)}"] if waiting else []
        raise HostsFailed("\n".join(lines))


def _run(job: Job, host: str, access: Access, until: Until) -> Record:
    return poll_until(until)(start_job(job, host, access), access)


def _worst_first(report: HostUpgrade) -> int:
    order = (UpgradeOutcome.FAILED, UpgradeOutcome.NOT_STARTED)
    return order.index(report.outcome) if report.outcome in order else len(order)


def _row(report: HostUpgrade) -> TableRow:
    return {
        "host": report.host,
        "state": report.outcome,
        "reason": one_line(report.reason),
        "changed": number_of(len(report.changes), "package") if report.changes else "",
        "reboot needed": report.reboot,
        "rebooted": duration(report.rebooted),
        "jobs lost": ", ".join(report.lost),
    }
