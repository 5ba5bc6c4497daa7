"""The shell texts of backups, each in the folder of its noun: a few of them are sent, one behind the other."""

from __future__ import annotations

from collections.abc import Iterable

from remotejobs.agent.functions import text_of

_PACKAGE = "remotejobs.operations.backup"


def text(name: str) -> str:
    """One of them, by its path from here: `item/record.sh`."""
    folder, _, file = name.rpartition("/")
    return text_of(f"{_PACKAGE}.{folder}", file)


def texts(names: Iterable[str]) -> str:
    return "\n".join(map(text, names))


def yes_or_no(wanted: bool) -> str:
    """A setting, as the shell texts read it."""
    return "yes" if wanted else "no"
