"""Report how jobs ended that nothing waited for: started by a flow or by hand, from here or from elsewhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.jobs.summary import in_order, summary
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.reports import publish_table, rows_of
from remotejobs.prefect.tasks.jobs.results import JobResult, not_asked, raise_for, result_as_found
from remotejobs.prefect.tasks.monitor import survey
from remotejobs.prefect.tasks.notify import NOBODY, Notify


@remote_flow("report-jobs", run_name="report {jobs} on {hosts}")
def report_jobs(
    access: Access,
    hosts: HostPattern,
    jobs: Annotated[str, Field(min_length=1)],
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[JobResult]:
    """Report every job of a name on every host; fail, naming them, when one did not succeed or none is there.

    A job that still runs is reported as such.

    Args:
        access: Where the hosts are written down, and as whose user to check.
        hosts: Hosts to check, as a pattern: all, web*.
        jobs: A label or a jid, with * and ?, or the beginning of a jid. *RUN-ID means the jobs of one flow run.
    """
    seen = survey(access, hosts, jobs, output=True)
    results = [result_as_found(record, access) for record in in_order(seen.records)]
    results += [not_asked(host, error) for host, error in seen.unreachable.items()]
    publish_table("report-jobs", f"{jobs} on {hosts}: {summary(seen.records)}", rows_of(results))
    raise_for(results)
    if not results:
        raise HostsFailed(f"no job on {hosts} is like {jobs}: it was never started there, or was cleaned away")
    return results
