"""The same of leases in Redis, for a server of several processes; the server is imported late here too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from lab.servers.redis import Redis

if TYPE_CHECKING:
    from prefect_redis.lease_storage import ConcurrencyLeaseStorage as InRedis


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with Redis(tmp_path / "redis") as redis:
        yield redis.url()


async def expired(kind: type[InRedis], url: str) -> int:
    """Of leases with one that was not renewed for five minutes, how many this storage calls expired."""
    from redis.asyncio import Redis as Client

    async with Client.from_url(url, decode_responses=True) as client:
        await client.flushall()
        storage = kind(client)
        await storage.create_lease([uuid4()], timedelta(seconds=-300))
        return len(await storage.read_expired_lease_ids())


def test_no_lease_expires_until_living_holders_had_the_time_to_renew_theirs(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remotejobs.workarounds.prefect import redis_leases
    from remotejobs.workarounds.prefect.file_leases import GRACE

    monkeypatch.setattr(redis_leases, "_LOADED", time.monotonic())
    assert asyncio.run(expired(redis_leases.ConcurrencyLeaseStorage, url)) == 0
    monkeypatch.setattr(redis_leases, "_LOADED", redis_leases._LOADED - GRACE)
    assert asyncio.run(expired(redis_leases.ConcurrencyLeaseStorage, url)) == 1


def test_prefect_by_itself_calls_it_expired_as_soon_as_it_is_back(url: str) -> None:
    from prefect_redis.lease_storage import ConcurrencyLeaseStorage as InRedis

    assert asyncio.run(expired(InRedis, url)) == 1
