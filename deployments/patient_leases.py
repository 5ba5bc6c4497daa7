"""Where the server keeps the leases of concurrency slots: in files, and none expires while the server was away.

Prefect's own storage in files would call every lease expired that could not be renewed meanwhile, give its slots away,
and so end the run that holds it at its next renewal.
"""

from __future__ import annotations

import time
from uuid import UUID

from prefect.server.concurrency.lease_storage.filesystem import ConcurrencyLeaseStorage as InFiles

# Runs ask a server that was away again after at most 256 s, and three times.
GRACE = 15 * 60.0  # seconds
_LOADED = time.monotonic()  # as the server starts


class ConcurrencyLeaseStorage(InFiles):
    """Prefect looks for a class of this name in the module that PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE names."""

    async def read_expired_lease_ids(self, limit: int = 100) -> list[UUID]:
        """None until those who live have had the time to renew theirs."""
        return await super().read_expired_lease_ids(limit) if time.monotonic() - _LOADED > GRACE else []
