"""Where the copies of one host lie on another."""

from __future__ import annotations

import re


def directory_of(directory: str, host: str) -> str:
    """The directory of the backups of `host`, in the directory of a place."""
    return f"{directory.rstrip('/')}/{re.sub(r'[^A-Za-z0-9._-]', '_', host)}"
