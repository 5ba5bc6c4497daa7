"""A lease that could not be renewed because the server was away is not taken for an abandoned one.

The server is imported by the tests themselves: every process of a test run would load it, which takes seconds.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from prefect.server.concurrency.lease_storage.filesystem import ConcurrencyLeaseStorage as InFiles


def expired(storage: InFiles) -> int:
    return len(asyncio.run(storage.read_expired_lease_ids()))


def test_no_lease_expires_until_living_holders_had_the_time_to_renew_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remotejobs.workarounds.prefect import file_leases

    monkeypatch.setattr(file_leases, "_LOADED", time.monotonic())
    storage = file_leases.ConcurrencyLeaseStorage(tmp_path)
    lease = asyncio.run(storage.create_lease([uuid4()], timedelta(seconds=-300)))
    assert expired(storage) == 0
    assert asyncio.run(storage.renew_lease(lease.id, timedelta(seconds=300)))
    asyncio.run(storage.create_lease([uuid4()], timedelta(seconds=-300)))
    monkeypatch.setattr(file_leases, "_LOADED", file_leases._LOADED - file_leases.GRACE)
    assert expired(storage) == 1


def test_prefect_by_itself_calls_it_expired_as_soon_as_it_is_back(tmp_path: Path) -> None:
    from prefect.server.concurrency.lease_storage.filesystem import ConcurrencyLeaseStorage as InFiles

    asyncio.run(InFiles(tmp_path).create_lease([uuid4()], timedelta(seconds=-300)))
    assert expired(InFiles(tmp_path)) == 1
