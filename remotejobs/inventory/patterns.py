"""Ansible's host patterns: which hosts of an inventory a text like `web:&live:!web3` names, and in which order."""

from __future__ import annotations

import difflib
import fnmatch
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from remotejobs.inventory.errors import PatternError
from remotejobs.inventory.forms.names import parse_address

LOCALHOST = ("localhost", "127.0.0.1", "::1")

_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]")
_BETWEEN_COLONS = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_REGEX = "Correct it; put a comma behind it if it holds a colon, where patterns are split otherwise."
_CUT = re.compile(r"\s*[&!]?~.*\{[0-9]*")
_GLOB = frozenset("*?[")
_ALSO_HOSTS = frozenset(".*?[")


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a pattern: `sign` is "" (add), "&" (keep only) or "!" (take away); `origin` says where it stands."""

    sign: str
    text: str
    origin: str

    @property
    def is_exact(self) -> bool:
        """Whether it names one host or group, which then must be there."""
        return not self.text.startswith("~") and not _GLOB & set(split_subscript(self.text)[0])


@dataclass(frozen=True, slots=True)
class Subscript:
    """`[first]`, or `[first:last]` with both ends included; `last` is None for the end of the list."""

    first: int
    last: int | None
    is_range: bool

    def of(self, hosts: list[str]) -> list[str]:
        """Raises `IndexError` when a single index is outside."""
        if not self.is_range:
            return [hosts[self.first]]
        return hosts[self.first : None if self.last is None else self.last + 1]


@dataclass(frozen=True, slots=True)
class PatternNames:
    """What a pattern can name. `implicit` gives the host that stands for a word like `localhost`, or None."""

    hosts: Iterable[str]
    groups: Mapping[str, tuple[str, ...]]
    implicit: Callable[[str], str | None]
    where: str


def parse(pattern: str) -> tuple[Term, ...]:
    """The terms of a pattern in the order in which they count: additions, then `&`, then `!`. Raises `PatternError`."""
    terms = [term for text in split(pattern) for term in _terms(text, f"pattern {pattern!r}")]
    if not terms:
        raise PatternError(f"pattern {pattern!r} names nothing", remedy="Write `all` for all hosts.")
    added = [term for term in terms if not term.sign] or [Term("", "all", f"pattern {pattern!r}")]
    return (*added, *(t for t in terms if t.sign == "&"), *(t for t in terms if t.sign == "!"))


def split(pattern: str) -> list[str]:
    """At commas; without one at colons, but not inside of an IPv6 address, `host:port` or a range."""
    if "," in pattern:
        parts = pattern.split(",")
        _refuse_a_split_repetition(pattern, parts)
    else:
        parts = [pattern] if parse_address(pattern.strip()) else _split_at_colons(pattern)
    return [part.strip() for part in parts if part.strip()]


def _refuse_a_split_repetition(pattern: str, parts: list[str]) -> None:
    """A comma splits even inside of `{1,2}`: Ansible then searches for two things that were not meant."""
    if any(_CUT.fullmatch(part) for part in parts[:-1]):
        raise PatternError(
            f"pattern {pattern!r}: the comma in its {{}} splits it in two",
            remedy="Write the repetition without a comma: ~app[0-9][0-9]?$ for ~app[0-9]{1,2}$.",
        )


def _split_at_colons(pattern: str) -> list[str]:
    if _BETWEEN_COLONS.sub("", pattern).strip(": \t\n"):
        raise PatternError(
            f"pattern {pattern!r} has a bracket without its other half",
            remedy="Close it, or put a comma behind a regular expression with brackets or colons of its own.",
        )
    return _BETWEEN_COLONS.findall(pattern)


def split_subscript(text: str) -> tuple[str, Subscript | None]:
    """`web[1:3]` is the pattern `web` and a subscript; a regular expression has none."""
    match = None if text.startswith("~") else _SUBSCRIPT.fullmatch(text)
    if match is None:
        return text, None
    if match[2] is not None:
        return match[1], Subscript(int(match[2]), None, is_range=False)
    return match[1], Subscript(int(match[3]), int(match[4]) if match[4] else None, is_range=True)


def evaluate(terms: Iterable[Term], names: PatternNames) -> tuple[str, ...]:
    """The hosts that the terms name, each once. Raises `PatternError` for a name that no host or group has."""
    chosen: list[str] = []
    for term in terms:
        found = _hosts_of(term, names)
        if term.sign == "&":
            keep = set(found)
            chosen = [host for host in chosen if host in keep]
        elif term.sign == "!":
            drop = set(found)
            chosen = [host for host in chosen if host not in drop]
        else:
            chosen += found
    return tuple(dict.fromkeys(chosen))


def _terms(text: str, origin: str) -> list[Term]:
    sign, rest = (text[0], text[1:]) if text[0] in "&!" else ("", text)
    if not rest:
        raise PatternError(f"{origin}: {text!r} names nothing", remedy="Put a host or group behind it.")
    if not rest.startswith("@"):
        return [Term(sign, rest, origin)]
    if sign:
        raise PatternError(
            f"{origin}: {text!r} mixes {sign} with a file", remedy="Put the sign before the names in it."
        )
    path = Path(rest[1:])
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as exc:
        raise PatternError(f"{origin}: the file {rest[1:]!r} cannot be read ({exc})", remedy="Check its path.") from exc
    terms = [
        term
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.strip().startswith("@")
        for term in _terms(line.strip(), f"{path}:{number}")
    ]
    if not terms:
        raise PatternError(f"{origin}: the file {path} names no host", remedy="Write one host or pattern on a line.")
    return terms


def _hosts_of(term: Term, names: PatternNames) -> list[str]:
    if not term.sign and term.text in names.hosts:
        return [term.text]
    text, subscript = split_subscript(term.text)
    found = _matches(term, text, names)
    if subscript is None or not found:
        return found
    try:
        return subscript.of(found)
    except IndexError as exc:
        raise PatternError(
            f"{term.origin}: {term.text!r} is outside: {text} has {len(found)} hosts",
            remedy="Counting begins at 0; -1 is the last.",
        ) from exc


def _matches(term: Term, text: str, names: PatternNames) -> list[str]:
    matches = _matcher(text, term.origin)
    groups = [name for name in names.groups if matches(name)]
    found = [host for group in groups for host in names.groups[group]]
    if not groups or text.startswith("~") or _ALSO_HOSTS & set(text):
        found += [host for host in names.hosts if matches(host)]
    if not found and (implicit := names.implicit(text)):
        return [implicit]
    if not found and not groups and term.is_exact:
        raise _unknown(text, term.origin, names)
    return found


def _matcher(text: str, origin: str) -> Callable[[str], object]:
    try:
        with warnings.catch_warnings():
            # That `~[[` may mean something else in a later Python: to the user, who wrote a pattern, it is no news.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(text[1:] if text.startswith("~") else fnmatch.translate(text)).match
    except re.error as exc:
        raise PatternError(f"{origin}: {text!r} is no regular expression ({exc})", remedy=_REGEX) from exc


def _unknown(text: str, origin: str, names: PatternNames) -> PatternError:
    near = difflib.get_close_matches(text, dict.fromkeys([*names.groups, *names.hosts]), 3)
    return PatternError(
        f"{origin}: no host or group is named {text!r} in {names.where}",
        remedy=f"Did you mean {' or '.join(near)}?" if near else None,
    )
