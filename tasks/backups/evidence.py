"""The monthly page on backups in a flow: every host is asked for its records; one that does not answer is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from remotejobs.errors import RemoteJobsError
from remotejobs.operations.backup import BackupPlan
from remotejobs.operations.backup.evidence.month import days_of, items_of, page
from remotejobs.operations.backup.evidence.records import Evidence, evidence_on
from remotejobs.operations.transfer.here import here
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import host_names, shell_of
from remotejobs.prefect.tasks.jobs.results import values_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReportPage:
    """The page of a month. `amiss` counts items with something missing or damaged, `unknown` hosts not asked."""

    month: str
    text: str
    amiss: int
    unknown: int
    file: str = ""


@task(task_run_name="records of {month} on {host}", cache_policy=NO_CACHE)
def read_records(access: Access, plan: BackupPlan, host: str, month: str) -> list[Evidence]:
    """What is left of the backups that the host began in the month."""
    return evidence_on(shell_of(access, host), plan.directory, month, must_be_mount=plan.must_be_mount)


def month_page(access: Access, plan: BackupPlan, month: str, file: str) -> BackupReportPage:
    """Ask every host of the plan, and make the page: as an artifact, and as a file of the worker where one is named."""
    now = datetime.now(UTC)
    month = month or f"{now.date().replace(day=1) - timedelta(days=1):%Y-%m}"
    days = days_of(month, now.date())
    hosts, unknown = _hosts(access, plan)
    names = list(dict.fromkeys(host for of_item in hosts.values() for host in of_item))
    runs = {host: read_records.submit(access, plan, host, month) for host in names}
    found, results = values_of("records", runs)
    unknown |= {result.host: result.reason for result in results if not result.succeeded}
    months = items_of(plan, hosts, found, days)
    asked = f"{now:%Y-%m-%d %H:%M}Z, by the flow run {flow_run.name or ''} ({flow_run.id or 'none'})"
    text = page(month, asked, months, unknown, days)
    create_markdown_artifact(text, key="backup-report", description=f"Backups in {month}")
    path = _written(file.replace("{month}", month), text) if file else ""
    return BackupReportPage(
        month=month, text=text, amiss=sum(each.amiss for each in months), unknown=len(unknown), file=path
    )


def _hosts(access: Access, plan: BackupPlan) -> tuple[dict[str, Sequence[str]], dict[str, str]]:
    """The hosts of each item, and patterns of which none is known."""
    hosts: dict[str, Sequence[str]] = {}
    unknown: dict[str, str] = {}
    for item in plan.items:
        try:
            hosts[item.name] = host_names(access, item.hosts)
        except RemoteJobsError as exc:
            unknown[item.hosts] = exc.message
    return hosts, unknown


def _written(file: str, text: str) -> str:
    """Write the page, whole or not at all. `UsageError` where this machine refuses."""
    path = Path(file)
    part = path.with_name(f".{path.name}.part")
    with here(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, "utf-8")
        part.replace(path)
    return str(path.resolve())
