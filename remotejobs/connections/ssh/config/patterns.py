"""Patterns of ssh_config: `*`, `?`, lists with commas, and `!`."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern)
    return re.compile("".join(parts), re.DOTALL)


def is_literal(pattern: str) -> bool:
    return not any(sign in pattern for sign in "*?!")


def matches(text: str, pattern: str) -> bool:
    """One pattern, as `Host` has them: upper and lower case differ."""
    return text == pattern or (not is_literal(pattern) and _compiled(pattern).fullmatch(text) is not None)


def matches_list(text: str, patterns: str) -> bool:
    """A list with commas: one matches, and none with a `!` does."""
    found = False
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if matches(text, pattern[1:]):
                return False
        elif matches(text, pattern):
            found = True
    return found


def matches_host(name: str, patterns: str) -> bool:
    """A list of patterns for a host's name, whose case does not matter."""
    return matches_list(name.lower(), patterns.lower())
