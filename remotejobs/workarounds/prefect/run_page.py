"""The address of a flow run's page in the UI.

Seen with Prefect 3.9.1. The documented `prefect.runtime.flow_run.ui_url` leads to `/flow-runs/flow-run/ID`, which the
server's UI does not have; the page is `/runs/flow-run/ID`, as `url_for` among Prefect's utilities knows.

Upstream: no report of it was found. The public way would be that `ui_url` is right.
"""

from __future__ import annotations

from uuid import UUID

from prefect.utilities import urls

from remotejobs.workarounds.private import require


def page_of(run: UUID | str) -> str:
    """Where a person finds the run; "" where no address of the UI is known. Raises `PrivatePartGone`."""
    require("prefect", urls, "url_for")
    return urls.url_for("flow-run", obj_id=run) or ""
