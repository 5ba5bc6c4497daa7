"""A Prefect server of this test session's own, which flows in the process of the tests are run against."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.context import _temporary_global_settings_context, get_settings_context
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_DATABASE_CONNECTION_URL,
    temporary_settings,
)

from lab.servers.prefect.server import PrefectServer
from tests.prepared import prefect_server_in


@contextmanager
def prefect_harness(directory: Path) -> Iterator[PrefectServer]:
    """The server works in `directory`. What is persisted goes to `storage` there, not to the user's own.

    Prefect's own harness does the same, and costs more: it loads the whole server into the process of the tests too.
    """
    with prefect_server_in(directory, scans=False) as server:
        server.await_ready()
        mine = {
            PREFECT_API_URL: server.api_url,
            PREFECT_API_SSL_CERT_FILE: str(server.certificates),
            PREFECT_LOCAL_STORAGE_PATH: directory / "storage",
            PREFECT_SERVER_ANALYTICS_ENABLED: False,
            # For tests that search what was written.
            PREFECT_SERVER_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{server.database}",
        }
        # The second makes them those of threads too that a test starts itself, as Prefect's own harness does.
        with temporary_settings(mine), _temporary_global_settings_context(get_settings_context()):
            yield server
