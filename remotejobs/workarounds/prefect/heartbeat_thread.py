"""The process of a run ends without waiting for the thread that sends the run's heartbeats.

Seen with Prefect 3.9.1. That thread sleeps in whole seconds, and every run of a flow that is no coroutine waits at its
end until it wakes up: half a second on average. A coroutine's run does not wait.

Upstream: no report of it was found. The public way would be a thread that waits for its end, not for a second.
"""

from __future__ import annotations

from functools import partial

from prefect import flow_engine
from prefect.flow_engine import FlowRunEngine

from remotejobs.workarounds.private import require

_SEND = "_send_heartbeats"
_WAITS = "join_on_exit"


def end_without_heartbeat_thread() -> None:
    """From now on no run of this process waits for that thread, which ends by itself. Raises `PrivatePartGone`."""
    require("prefect", flow_engine, _SEND)
    require("prefect", FlowRunEngine.run_context, _SEND)
    send = getattr(flow_engine, _SEND)
    if not isinstance(send, partial):
        setattr(flow_engine, _SEND, partial(send, **{_WAITS: False}))
