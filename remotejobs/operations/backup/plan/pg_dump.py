"""Which options of pg_dump an item may be given, and which cannot work."""

from __future__ import annotations

import re
from collections.abc import Iterable

from remotejobs.worded import Worded

# psql would run what stands between backticks.
TABLES = Worded(
    r"""([^\s"`':\\]|"[^"`':\\]+")+""", "a pattern of tables, without spaces, backticks, apostrophes and colons"
)

# What the item says by its own fields, or has to decide itself.
_OWN = {
    "dbname": "database",
    "exclude-table-data": "exclude_table_data",
    "file": "directory",
    "format": "format",
    "host": "server",
    "jobs": "jobs",
    "lock-wait-timeout": "lock_timeout",
    "port": "port",
    "username": "user",
    "compress": "",
    "no-password": "",
    "password": "",
    "no-sync": "",
    "snapshot": "",
    "no-synchronized-snapshots": "",
    "help": "",
    "version": "",
}
# What leaves out rows that are counted when it is dumped.
_CHOOSING = (
    "data-only",
    "exclude-extension",
    "exclude-schema",
    "exclude-table",
    "exclude-table-and-children",
    "extension",
    "filter",
    "no-data",
    "no-unlogged-table-data",
    "schema",
    "schema-only",
    "section",
    "statistics-only",
    "table",
    "table-and-children",
)
_PLAIN = ("clean", "create", "if-exists")


def check_options(options: Iterable[str], *, plain: bool, restore_test: bool) -> None:
    """Raises `ValueError` for one that is no long option of pg_dump, or that cannot be had.

    pg_dump takes a beginning of an option's name for all of it, and so does this.
    """
    for option in options:
        if not re.fullmatch(r"--[a-z][a-z0-9-]*(=.+)?", option):
            raise ValueError(f"options: {option!r} is not a long option in one word, as --no-comments or --schema=app")
        name = option[2:].partition("=")[0]
        for own, field in _OWN.items():
            if own.startswith(name):
                remedy = f"say it by {field}" if field else "leave it out"
                raise ValueError(f"options: --{own} is what the item decides; {remedy}")
        if restore_test and any(other.startswith(name) for other in _CHOOSING):
            raise ValueError(
                f"options: {option} leaves out rows, and the restore test compares those of every table; take off "
                "restore_test, or name tables under exclude_table_data"
            )
        if plain and any(other.startswith(name) for other in _PLAIN):
            raise ValueError(f"options: {option} makes a plain dump drop or make databases; take another format")
