"""The process of a run waits for a server that is away, whichever of its clients asks.

Prefect's client asks again after a refused connection only if it had one before, so that a wrong address is told at
once. But a process of a run makes clients all the while, and Prefect in it makes its own, to give back the slots of a
limit for example. One that was made while the server was away failed the run.
"""

from __future__ import annotations

from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient

# As Prefect names it; there is no setting for it.
_MAY_ASK_AGAIN = "_has_connected"


def be_patient() -> None:
    """From now on every client of this process asks a server that is away again, PREFECT_CLIENT_MAX_RETRIES times."""
    for client in (PrefectHttpxAsyncClient, PrefectHttpxSyncClient):
        setattr(client, _MAY_ASK_AGAIN, property(lambda _: True, lambda *_: None))
