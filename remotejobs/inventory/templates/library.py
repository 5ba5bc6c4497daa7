"""Filters of Ansible that are little more than one call of Python's library."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from itertools import product, zip_longest
from posixpath import basename, dirname, expanduser, join, splitext
from random import Random, SystemRandom
from typing import Any
from urllib.parse import urlsplit

_NAMESPACE = uuid.UUID("361e6d51-faec-444a-9079-341386da8e2e")  # Ansible's own: the same names give the same ids
_URL = ("fragment", "hostname", "netloc", "password", "path", "port", "query", "scheme", "username")


def _random(end: int | Sequence[Any], start: int = 0, step: int = 0, seed: Any = None) -> Any:
    """A number below `end`, or one of its items; with a `seed` always the same."""
    chance: Random = SystemRandom()
    if seed is not None:
        chance = Random(str(seed) if isinstance(seed, str) else seed)  # noqa: S311 - the same each time is the purpose
    if isinstance(end, int):
        return chance.randrange(start, end, step or 1)
    if start or step:
        raise ValueError("random: start and step go with a number alone")
    return chance.choice(end)


def _urlsplit(value: str, query: str = "") -> Any:
    parts = urlsplit(value)
    if query and query not in _URL:
        raise ValueError(f"urlsplit: {query!r} is no part of a URL; known are {', '.join(_URL)}")
    return getattr(parts, query) if query else {name: getattr(parts, name) for name in _URL}


def _path_join(paths: str | Iterable[str]) -> str:
    return paths if isinstance(paths, str) else join(*paths)


FILTERS: dict[str, Callable[..., Any]] = {
    "basename": basename,
    "dirname": dirname,
    "expanduser": expanduser,
    "path_join": _path_join,
    "product": lambda *lists: [list(items) for items in product(*lists)],
    "random": _random,
    "splitext": lambda value: list(splitext(value)),
    "to_uuid": lambda value, namespace=_NAMESPACE: str(uuid.uuid5(uuid.UUID(str(namespace)), str(value))),
    "urlsplit": _urlsplit,
    "zip": lambda *lists: [list(items) for items in zip(*lists, strict=False)],
    "zip_longest": lambda *lists, fillvalue=None: [list(items) for items in zip_longest(*lists, fillvalue=fillvalue)],
}
