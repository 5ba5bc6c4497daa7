"""The tests of Ansible (`x is match(...)`) that inventories use; Jinja2 has the others (defined, in, ...)."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from remotejobs.inventory.templates.versions import is_version
from remotejobs.inventory.templates.words import regex_flags, yes_or_no


def _regex(
    value: Any, pattern: str, ignorecase: bool = False, multiline: bool = False, match_type: str = "search"
) -> bool:
    if match_type not in ("search", "match", "fullmatch"):
        raise ValueError(f"the test regex knows search, match and fullmatch, not {match_type!r}")
    return getattr(re, match_type)(pattern, str(value), regex_flags(ignorecase, multiline)) is not None


def _match(value: Any, pattern: str, ignorecase: bool = False, multiline: bool = False) -> bool:
    return _regex(value, pattern, ignorecase, multiline, "match")


def _truthy(value: Any, convert_bool: bool = False) -> bool:
    if convert_bool:
        with suppress(ValueError):
            value = yes_or_no(value)
    return bool(value)


_TESTS: dict[str, Callable[..., bool]] = {
    "all": all,
    "any": any,
    "contains": lambda value, item: item in value,
    "falsy": lambda value, convert_bool=False: not _truthy(value, convert_bool),
    "match": _match,
    "regex": _regex,
    "search": lambda value, pattern, ignorecase=False, multiline=False: _regex(value, pattern, ignorecase, multiline),
    "truthy": _truthy,
    "version": is_version,
    **dict.fromkeys(("issubset", "subset"), lambda value, other: set(value) <= set(other)),
    **dict.fromkeys(("issuperset", "superset"), lambda value, other: set(value) >= set(other)),
    "version_compare": is_version,
}
TESTS = _TESTS | {f"ansible.builtin.{name}": call for name, call in _TESTS.items()}
