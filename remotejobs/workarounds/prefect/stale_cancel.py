"""A retried run that its worker cancels for the request from before the retry.

Seen with Prefect 3.9.1. A subscriber is first sent the events of the last 15 minutes, and a worker subscribes anew for
each run that it begins. If it reads the old request late enough, it ends the process of the retry, and does not ask for
the run's state. The words of the runner are the only mark that it was the one that cancelled.

Upstream: `FlowRunCancellingObserver` would have to pass over requests from before the run was registered with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.client.schemas.objects import State

RUNNERS_WORDS = "Flow run was cancelled successfully."


def was_cancelled_over_retry(before: Sequence[State[Any]], since: Sequence[State[Any]]) -> bool:
    """Whether that happened to a run with these states, oldest first: up to its last scheduling, and since then."""
    return bool(
        since
        and since[-1].is_cancelled()
        and since[-1].message == RUNNERS_WORDS
        and not any(state.is_cancelling() for state in since)
        and any(state.is_cancelling() for state in before)
    )
