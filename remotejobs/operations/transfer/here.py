"""This machine's own files in a transfer: what its disk refuses is reported as its fault, not as the host's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from remotejobs.errors import UsageError

_REMEDY = "Check the path, its permissions, and the free space on that disk."


@contextmanager
def here(path: Path) -> Iterator[None]:
    """Whatever is done with `path`: `UsageError` names it when this machine refuses."""
    try:
        yield
    except OSError as exc:
        raise UsageError(f"{path} on this machine: {exc.strerror or exc}", remedy=_REMEDY) from exc


def sum_of(path: Path) -> str:
    """The sha256 of a file here. `UsageError` when it cannot be read."""
    with here(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put(part: Path, dest: Path) -> None:
    """Give a whole `part` its name, at once and for good. `UsageError` when it cannot have it."""
    with here(dest):
        part.replace(dest)
        directory = os.open(dest.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
