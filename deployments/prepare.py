"""`python -m deployments.prepare`: bring the database of a server of several processes up to date, before they start.

Each of them would do it as it starts, at once with the others, and on a new database all but the first fail at it.
"""

from __future__ import annotations

import asyncio

from prefect.server.database import provide_database_interface
from prefect.server.models.block_registration import run_block_auto_registration


async def prepare() -> None:
    """Migrate it, and let it know the types of blocks. Done again it changes nothing."""
    database = provide_database_interface()
    await database.create_db()
    async with await database.session() as session:
        await run_block_auto_registration(session)


if __name__ == "__main__":
    asyncio.run(prepare())
