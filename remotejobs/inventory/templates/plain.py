"""From the lazy values inside of templates to plain Python ones."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from datetime import date
from typing import Any

from remotejobs.inventory.values import Secret

_SCALARS = (bool, int, float, bytes, date, type(None))
_LISTS = (Sequence, AbstractSet, KeysView, ValuesView, Iterator)


def plain(value: Any) -> Any:
    """Strings, numbers, dates, None, lists and dictionaries of them; `TypeError` for anything else.

    A Jinja2 Undefined raises its own error when it is turned into a string, which happens here.
    """
    if isinstance(value, str):
        return Secret(value) if isinstance(value, Secret) else str(value)
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, _LISTS) and not isinstance(value, range):
        return [plain(item) for item in value]
    str(value)
    raise TypeError(f"a {type(value).__name__} cannot be the value of a variable")
