"""Blocks, with secrets from the environment: what differs on the server. No value is ever shown."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from prefect.blocks.core import Block, UnknownBlockType
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import ObjectNotFound

from remotejobs.errors import UsageError
from remotejobs.prefect.deployments.change import Change
from remotejobs.prefect.deployments.declared import FILE, BlockValues, named


def block_changes(client: SyncPrefectClient, declared: list[BlockValues]) -> Iterator[Change]:
    for block in declared:
        if block.unset:
            if find_block(client, block) is None:
                yield Change("block", block.name, None, (f"left out: {', '.join(block.unset)} is not set",))
            continue
        kind = _kind_of(block)
        with named(f"block {block.name!r}"):
            wanted = kind.model_validate(block.filled)
        save = partial(wanted.save, block.name, overwrite=True)
        there = find_block(client, block)
        if there is None:
            yield Change("block", block.name, save)
            continue
        found, expected = _values(kind.model_validate(there.data)), _values(wanted)
        if changed := [key for key in expected if found.get(key) != expected[key]]:
            yield Change("block", block.name, save, tuple(f"{key}: (another value)" for key in changed))


def find_block(client: SyncPrefectClient, block: BlockValues) -> BlockDocument | None:
    """The block as the server has it, its secrets in the clear."""
    try:
        return client.read_block_document_by_name(block.name, block.type, include_secrets=True)
    except ObjectNotFound:
        return None


def _kind_of(block: BlockValues) -> type[Block]:
    try:
        return Block.get_block_class_from_key(block.type)
    except UnknownBlockType as exc:
        raise UsageError(
            f"{FILE.name}: block {block.name!r}: there is no type {block.type!r}",
            remedy="`prefect block type ls` lists them.",
        ) from exc


def _values(block: Block) -> dict[str, Any]:
    return block.model_dump(mode="json", context={"include_secrets": True})
