"""Flows in this process, against the Prefect server that all of them share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def with_a_server(prefect_server: Path) -> None:
    """Every flow and task here runs against it."""
