"""One name for what is called and for what is awaited."""

from __future__ import annotations

import asyncio
from typing import Any

from remotejobs.workarounds.prefect.dispatch import or_awaited


async def awaited(word: str) -> str:
    return f"{word} awaited"


@or_awaited(awaited)
def called(word: str) -> str:
    """What it does."""
    return f"{word} called"


def test_callers_without_an_event_loop_call_and_those_with_one_await() -> None:
    either: Any = called

    async def in_a_coroutine() -> object:
        return await either("it")

    assert called("it") == "it called"
    assert asyncio.run(in_a_coroutine()) == "it awaited"
    assert called.__doc__ == "What it does."
