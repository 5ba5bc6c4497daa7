"""Leases of concurrency slots in Redis, for a server of several processes; none expires because the server was away.

Seen with prefect-redis 0.3.0. `file_leases` is the same for a server of one process; it says why, and ensures that
Prefect still asks for what is overridden here.
"""

from __future__ import annotations

import time
from uuid import UUID

from prefect_redis.lease_storage import ConcurrencyLeaseStorage as InRedis

from remotejobs.workarounds.prefect.file_leases import GRACE

_LOADED = time.monotonic()  # as this process of the server starts


class ConcurrencyLeaseStorage(InRedis):
    """Prefect looks for a class of this name in the module that PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE names."""

    async def read_expired_lease_ids(self, limit: int = 100) -> list[UUID]:
        """None until living holders have had the time to renew theirs."""
        return await super().read_expired_lease_ids(limit) if time.monotonic() - _LOADED > GRACE else []
