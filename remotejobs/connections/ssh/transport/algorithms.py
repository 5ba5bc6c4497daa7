"""Lists of algorithms as ssh_config gives them, and what is left of them here."""

from __future__ import annotations

from collections.abc import Sequence

from remotejobs.connections.ssh.config.patterns import matches


class NothingLeft(Exception):
    """A list of ssh_config names no algorithm that exists here."""


def chosen(written: str, usual: Sequence[str], known: Sequence[str] | None = None) -> tuple[str, ...]:
    """`usual` changed as `written` says (`+`, `-`, `^`), or the list that is written; of both only what is `known`.

    `NothingLeft` when that is nothing.
    """
    known = usual if known is None else known
    if not written:
        return tuple(usual)
    sign, names = (written[0], written[1:]) if written[0] in "+-^" else ("", written)
    patterns = names.split(",")
    named = [name for pattern in patterns for name in known if matches(name, pattern)]
    found = {
        "": named,
        "+": [*usual, *named],
        "-": [name for name in usual if name not in named],
        "^": [*named, *usual],
    }[sign]
    if not found:
        raise NothingLeft(f"{written} leaves none of those that there are: {', '.join(known)}")
    return tuple(dict.fromkeys(found))
