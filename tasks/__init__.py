"""Prefect tasks: thin, a folder for each noun. What a flow passes or returns is defined here or in the core."""

from __future__ import annotations

from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from remotejobs.workarounds.prefect.broken_pipe import survive_broken_pipe
from remotejobs.workarounds.prefect.first_connection import retry_first_connection
from remotejobs.workarounds.prefect.heartbeat_thread import end_without_heartbeat_thread

end_without_heartbeat_thread()

# The flow run that this process was started for; "" in a shell, a worker or a test. It is read before the run begins:
# within a run, the runtime names that one, whatever the process was started for.
STARTED_FOR = "" if FlowRunContext.get() else str(flow_run.id or "")

# A worker started this process for a run, which it took from that server: the address is right.
if STARTED_FOR:
    retry_first_connection()
    survive_broken_pipe()
