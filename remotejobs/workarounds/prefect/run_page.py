"""The address of a flow run's page in the UI.

Seen with Prefect 3.9.1. The documented `prefect.runtime.flow_run.ui_url` leads to `/flow-runs/flow-run/ID`, which the
server's UI does not have; the page is `/runs/flow-run/ID`, as `url_for` among Prefect's utilities knows. That is the
page of the older of its two UIs, also where the server opens the newer one (PREFECT_SERVER_UI_V2_ENABLED, in
deployments/server.env), whose page is `/v2/runs/flow-run/ID`.

Upstream: no report of it was found. The public way would be that `ui_url` is right.
"""

from __future__ import annotations

from uuid import UUID

from prefect.settings import get_current_settings
from prefect.utilities import urls

from remotejobs.workarounds.private import require

_PAGE = "/runs/flow-run/"


def page_of(run: UUID | str) -> str:
    """Where a person finds the run, in the UI that the server opens; "" where no address of the UI is known.

    Raises `PrivatePartGone`.
    """
    require("prefect", urls, "url_for")
    settings = get_current_settings()
    url = urls.url_for("flow-run", obj_id=run) or ""
    one_ui = settings.connected_to_cloud or not settings.server.ui.v2_enabled
    return url if one_ui else url.replace(_PAGE, f"/v2{_PAGE}")
