"""A Prefect server of this test session's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness


@contextmanager
def prefect_harness(storage: Path) -> Iterator[None]:
    """The server. What is persisted, a failed run's exception for example, goes to `storage`, not to the user's own."""
    mine = {PREFECT_LOCAL_STORAGE_PATH: storage, PREFECT_SERVER_ANALYTICS_ENABLED: False}
    with temporary_settings(mine), prefect_test_harness(server_startup_timeout=120):
        yield
