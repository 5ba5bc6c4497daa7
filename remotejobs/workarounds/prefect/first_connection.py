"""A client that never reached the server waits for it like one that did.

Seen with Prefect 3.9.1. Its clients ask again after a refused connection only if they had one before, so that a wrong
address is reported at once. But the process of a run makes clients all the while, and Prefect in it makes its own, to
give back the slots of a limit for example. One that was made while the server was away failed the run.

Upstream: https://github.com/PrefectHQ/prefect/issues/20462 (open); the distinction came with
https://github.com/PrefectHQ/prefect/pull/20276. The public way would be a setting for the attempts at a first
connection, as https://github.com/PrefectHQ/prefect/pull/22937 proposed; it was closed unmerged.
"""

from __future__ import annotations

from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient

from remotejobs.workarounds.private import require

_CONNECTED_BEFORE = "_has_connected"
_CLIENTS = (PrefectHttpxAsyncClient, PrefectHttpxSyncClient)


def retry_first_connection() -> None:
    """From now on every client of this process asks a server that is away again, PREFECT_CLIENT_MAX_RETRIES times.

    Raises `PrivatePartGone`.
    """
    for client in _CLIENTS:
        require("prefect", client.send, _CONNECTED_BEFORE)
        setattr(client, _CONNECTED_BEFORE, property(lambda _: True, lambda *_: None))
