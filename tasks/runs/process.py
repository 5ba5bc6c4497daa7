"""Which flow run this process was started for."""

from __future__ import annotations

from prefect.context import FlowRunContext
from prefect.runtime import flow_run

# "" in a shell, a worker or a test. Known before the run begins: within one, however it came to be under way, the
# runtime speaks of that one.
STARTED_FOR = "" if FlowRunContext.get() else str(flow_run.id or "")
