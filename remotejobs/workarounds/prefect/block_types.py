"""Make the types of blocks known to the database of a server of several processes, before they start.

Seen with Prefect 3.9.1. Each process of the server registers the types as it starts, by reading and then inserting, so
of several that start at once on a new database all but the first fail at it.

Upstream: no report of it was found. The public way would be a command that registers all types without a server
(`prefect block register` needs one), or a registration that inserts or updates.
"""

from __future__ import annotations

import asyncio

from prefect.server.database import provide_database_interface
from prefect.server.models import block_registration

from remotejobs.workarounds.private import require

_REGISTER = "run_block_auto_registration"


def register_block_types() -> None:
    """Register all that Prefect brings in the database that the settings name; done again it changes nothing.

    The database has to be migrated. Raises `PrivatePartGone`.
    """
    require("prefect", block_registration, _REGISTER)
    asyncio.run(_register())


async def _register() -> None:
    async with await provide_database_interface().session() as session:
        await block_registration.run_block_auto_registration(session)
