"""From a run to its jobs on the live page of `remotejobs web`, where a worker's environment says that there is one."""

from __future__ import annotations

import os
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate

ADDRESS = "REMOTEJOBS_WEB_URL"  # of the page, as browsers know it

_LINKED: set[UUID] = set()


def link_to_live_page(run: UUID) -> None:
    """Log where the jobs of the run are seen live, and attach a link to the run; once in this process."""
    address = os.environ.get(ADDRESS, "").rstrip("/")
    if run in _LINKED or not address.startswith(("http://", "https://")):
        return
    _LINKED.add(run)
    page = f"{address}/?run={run}"
    get_run_logger().info("Its jobs, live: %s", page)
    words = "Its jobs, live"
    link = ArtifactCreate(
        key="live-jobs", type="markdown", description=words, data=f"[{words}]({page})", flow_run_id=run
    )
    with get_client(sync_client=True) as client:  # not by Prefect's helper: see `started`
        client.create_artifact(link)
