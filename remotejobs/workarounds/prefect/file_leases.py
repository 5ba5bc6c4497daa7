"""Leases of concurrency slots in files, none of which expires because the server was away.

Seen with Prefect 3.9.1. Its own storage in files calls every lease expired that could not be renewed meanwhile, gives
its slots away, and so ends the run that holds it at its next renewal. Which module keeps the leases is a setting
(PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE); what such a module has to define is documented nowhere.

Upstream: https://github.com/PrefectHQ/prefect/issues/21064 (closed: a renewal that fails is tried again, but not for as
long as a server may be away). The public way would be a grace period after the start of the server.
"""

from __future__ import annotations

import time
from uuid import UUID

from prefect.server.concurrency.lease_storage.filesystem import ConcurrencyLeaseStorage as InFiles
from prefect.server.services.repossessor import monitor_expired_leases

from remotejobs.workarounds.private import require

require("prefect", monitor_expired_leases, "read_expired_lease_ids")

# Runs ask a server that was away again after at most 256 s, and three times.
GRACE = 15 * 60.0  # seconds
_LOADED = time.monotonic()  # as the server starts


class ConcurrencyLeaseStorage(InFiles):
    """Prefect looks for a class of this name in the module that PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE names."""

    async def read_expired_lease_ids(self, limit: int = 100) -> list[UUID]:
        """None until living holders have had the time to renew theirs."""
        return await super().read_expired_lease_ids(limit) if time.monotonic() - _LOADED > GRACE else []
