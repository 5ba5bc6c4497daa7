"""The test `version`: versions compared number by number and word by word, as Ansible does by default."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

_PARTS = re.compile(r"\d+|[a-z]+|[^\d.a-z]+")
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("==", "=", "eq"), operator.eq),
    **dict.fromkeys(("!=", "<>", "ne"), operator.ne),
    **dict.fromkeys(("<", "lt"), operator.lt),
    **dict.fromkeys(("<=", "le"), operator.le),
    **dict.fromkeys((">", "gt"), operator.gt),
    **dict.fromkeys((">=", "ge"), operator.ge),
}


def is_version(value: Any, version: Any, operator: str = "eq", **options: Any) -> bool:
    """`ValueError` for other ways to compare than the usual one."""
    if options:
        raise ValueError(f"the test version has no option {', '.join(options)} here")
    if operator not in _OPERATORS:
        raise ValueError(f"{operator!r} does not compare versions; known are {' '.join(_OPERATORS)}")
    if not str(value) or not str(version):
        raise ValueError("an empty version cannot be compared")
    return bool(_OPERATORS[operator](_parts(str(value)), _parts(str(version))))


def _parts(text: str) -> list[int | str]:
    return [int(part) if part.isdecimal() else part for part in _PARTS.findall(text)]
