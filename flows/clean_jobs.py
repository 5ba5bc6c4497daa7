"""Remove the directories of jobs that ended long ago; one that runs is never touched."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.model import Record
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, select_hosts
from remotejobs.prefect.tasks.jobs import job as jobs
from remotejobs.prefect.tasks.jobs.reports import job_row, publish_table
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.prefect.tasks.notify import NOBODY, Notify


@remote_flow("clean-jobs", run_name="clean {hosts}")
def clean_jobs(
    access: Access,
    hosts: HostPattern = "all",
    older_than_days: Annotated[float, Field(ge=0)] = 14,
    keep: Annotated[int, Field(ge=0)] = 20,
    dry_run: bool = False,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Record]:
    """Clean the job directories on every host of a pattern; fail at the end, naming the hosts where it failed.

    Args:
        access: Where the hosts are written down, and as whose user to clean.
        hosts: Hosts to clean, as a pattern: all, web*, databases.
        older_than_days: Remove jobs that ended more than so many days ago.
        keep: But keep so many of the newest jobs on each host.
        dry_run: Only say which would go.
    """
    seconds = older_than_days * 24 * 3600
    runs = {host: jobs.clean_jobs.submit(host, access, seconds, keep, dry_run) for host in select_hosts(access, hosts)}
    cleaned, results = values_of("clean", runs)
    removed = [record for records in cleaned.values() for record in records]
    title = "Jobs that would go" if dry_run else "Jobs that went"
    publish_table("clean-jobs", title, [job_row(record) for record in removed])
    raise_for(results)
    return removed
