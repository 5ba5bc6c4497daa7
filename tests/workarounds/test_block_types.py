"""The types of blocks are in the database before several processes of a server start on it.

The server is imported by the tests themselves: every process of a test run would load it, which takes seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings


@pytest.fixture
def database(tmp_path: Path) -> Iterator[None]:
    """An SQLite file with Prefect's tables for blocks, and nothing in them."""
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{tmp_path / 'server.db'}"}):
        asyncio.run(_make_tables())
        yield


async def _make_tables() -> None:
    from prefect.server.database import provide_database_interface

    database = provide_database_interface()
    known = database.Base.metadata
    blocks = [table for name, table in known.tables.items() if name.startswith("block_")]
    async with (await database.engine()).begin() as connection:
        await connection.run_sync(known.create_all, tables=blocks)


async def _names() -> set[str]:
    import sqlalchemy as sa
    from prefect.server.database import provide_database_interface

    database = provide_database_interface()
    async with await database.session() as session:
        return set(await session.scalars(sa.select(database.BlockType.slug)))


@pytest.mark.usefixtures("database")
def test_the_types_are_registered_and_once_more_changes_nothing() -> None:
    from remotejobs.workarounds.prefect.block_types import register_block_types

    register_block_types()
    names = asyncio.run(_names())
    assert {"secret", "custom-webhook", "slack-webhook"} <= names
    register_block_types()
    assert asyncio.run(_names()) == names


@pytest.mark.usefixtures("database")
def test_prefect_by_itself_fails_where_another_process_registered_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.server.database import provide_database_interface
    from prefect.server.models import block_types
    from prefect.server.models.block_registration import run_block_auto_registration
    from sqlalchemy.exc import IntegrityError

    from remotejobs.workarounds.prefect.block_types import register_block_types

    register_block_types()

    async def unseen(**_: object) -> None:
        """It checked before the other one wrote."""

    async def register() -> None:
        async with await provide_database_interface().session() as session:
            await run_block_auto_registration(session)

    monkeypatch.setattr(block_types, "read_block_type_by_slug", unseen)
    with pytest.raises(IntegrityError):
        asyncio.run(register())
