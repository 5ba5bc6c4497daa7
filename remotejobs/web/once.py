"""An action is done once: the page sends a token with it, and a second post with the same token gets the same answer.

People press twice, or again after a connection that broke before the answer, and a browser may repeat a post by itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from remotejobs.web.actions import Done

KEPT = 1000  # answers
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,64}")


class TokenUsed(Exception):
    """The token was used for something else."""


@dataclass(frozen=True, slots=True)
class _Kept:
    what: Hashable
    answer: asyncio.Task[list[Done]]


class Once:
    """Used in one event loop. `session` keeps the tokens of different logins apart."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], _Kept] = {}

    async def do(self, session: str, token: str, what: Hashable, act: Callable[[], list[Done]]) -> list[Done]:
        """What came of `act`, run in a thread. Without a valid token it is run each time. Raises `TokenUsed`.

        It goes on after its client has gone.
        """
        key = (session, token)
        kept = self._asked.get(key)
        if kept is None:
            kept = _Kept(what, asyncio.create_task(asyncio.to_thread(act)))
            if _TOKEN.fullmatch(token):
                self._keep(key, kept)
        if kept.what != what:
            raise TokenUsed
        return await asyncio.shield(kept.answer)

    def _keep(self, key: tuple[str, str], kept: _Kept) -> None:
        for old in [each for each, one in self._asked.items() if one.answer.done()][: max(0, len(self._asked) - KEPT)]:
            del self._asked[old]
        self._asked[key] = kept
