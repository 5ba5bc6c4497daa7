"""Methods of blocks that are called in flows, and awaited in flows that are coroutines, like those of Prefect's own.

Seen with Prefect 3.9.1. Its blocks have each method twice, `load` and `aload`, and `load` is the second one where the
flow or the task under way is a coroutine. The decorator that decides it is private.

Upstream: prefect-shell and the other integrations of Prefect use the same one. The public `sync_compatible`, which
Prefect's own blocks have left, has no method to call: what is called waits for a coroutine in a thread of Prefect's.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from prefect._internal.compatibility import async_dispatch

from remotejobs.workarounds.private import require

P = ParamSpec("P")
R = TypeVar("R")


def or_awaited(awaited: Callable[P, Coroutine[Any, Any, R]]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate the method that is called; `awaited` takes its place in a coroutine. Raises `PrivatePartGone`."""
    require("prefect", async_dispatch, "async_dispatch")
    return cast("Callable[[Callable[P, R]], Callable[P, R]]", async_dispatch.async_dispatch(awaited))
