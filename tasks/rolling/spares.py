"""Spare hosts of a rolling update: put in before any other host leaves, and taken out again at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from remotejobs.errors import HostError, UsageError
from remotejobs.operations.balancers import Standing
from remotejobs.operations.rolling import HostReport, Update, UpdateOutcome
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import host_names
from remotejobs.prefect.tasks.rolling.errors import BelowFloor
from remotejobs.prefect.tasks.rolling.jobs import history
from remotejobs.prefect.tasks.rolling.load_balancer import await_floor, drain, put_back, take_out

if TYPE_CHECKING:
    from remotejobs.prefect.tasks.rolling.batches import Rollout


def spares_of(hosts: Sequence[str], access: Access, update: Update) -> tuple[str, ...]:
    """Those of `hosts` that stand by. `UsageError` when one of them is no host of the update, or all are."""
    spares = host_names(access, update.spare) if update.spare else ()
    if foreign := [host for host in spares if host not in hosts]:
        raise UsageError(
            f"spare: {', '.join(foreign)} is none of the hosts of this update",
            remedy="Let hosts name them too; they are updated like the others.",
        )
    if spares and len(spares) == len(hosts):
        raise UsageError("spare: no host is left that it could stand in for", remedy="Let hosts name the others too.")
    return spares


@task(task_run_name="withdraw {host}", cache_policy=NO_CACHE)
def withdraw(
    host: str, others: Sequence[str], aside: Sequence[str], access: Access, update: Update, run: str
) -> Standing:
    """Take a spare host out again, as it was found when the update `run` began, if all others serve; `BelowFloor`."""
    found = history(host, access, run).found
    assert found is not None  # a spare host is one that was found out
    await_floor(host, others, access, update, aside=aside, wait=False)
    take_out(host, access, update)
    drain(host, access, update)
    put_back(host, found, access, update)
    return found


def withdraw_spares(rollout: Rollout, reports: Sequence[HostReport]) -> list[HostReport]:
    """The reports as they are when every spare host that was put in is out again, or stays because it is needed."""
    return [_withdrawn(rollout, report) if _is_in(rollout, report) else report for report in reports]


def _is_in(rollout: Rollout, report: HostReport) -> bool:
    return (
        report.host in rollout.spares
        and report.outcome in (UpdateOutcome.UPDATED, UpdateOutcome.EARLIER)
        and not report.kept
    )


def _withdrawn(rollout: Rollout, report: HostReport) -> HostReport:
    others = [host for host in rollout.hosts if host != report.host]
    try:
        found = withdraw(report.host, others, rollout.aside, rollout.access, rollout.update, rollout.update_id)
    except HostError as exc:
        why = (exc.message if isinstance(exc, BelowFloor) else str(exc)).removeprefix(f"{report.host}: ")
        get_run_logger().warning("%s stays in the load balancer: %s", report.host, why)
        reason = f"{report.reason}\nstays in the load balancer, where it was found {report.found}: {why}".strip()
        return replace(report, reason=reason)
    return replace(report, kept=True, found=found.words)
