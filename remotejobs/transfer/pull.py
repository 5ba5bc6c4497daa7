"""From a host to the controller: resumed after a cut, checked on both ends, and there at once or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

from remotejobs.errors import FileRefused
from remotejobs.transfer.steps import (
    Ends,
    Through,
    Told,
    TransferFailed,
    Transferred,
    part_name,
    sum_of,
)
from remotejobs.transfer.throttle import Throttle


def pull(
    source: str,
    dest: Path,
    ends: Ends,
    *,
    throttle: Throttle | None = None,
    tell: Told = lambda _moved: None,
) -> Transferred:
    """Copy the file `source` from over there to `dest`; where that is a directory, into it.

    What arrived before a cut is kept, also for a later call with the same content. Raises `FileRefused`,
    `TransferFailed` when it changed over there meanwhile, and `Unreachable`.
    """
    began = time.monotonic()
    files = ends.files
    through = Through(ends, 0, throttle or Throttle(0), tell)
    path = through.persist(lambda: files.absolute(source))
    size = through.persist(lambda: files.size(path))
    if size is None:
        raise FileRefused(files.host, f"{path} does not exist")
    sha256 = ends.digest(path)
    dest = dest / Path(path).name if dest.is_dir() else dest
    through = Through(ends, size, throttle or Throttle(0), tell)
    if dest.is_file() and dest.stat().st_size == size and sum_of(dest) == sha256:
        through.begin_at(size)
        return Transferred(host=files.host, path=str(dest), bytes=size, sha256=sha256, changed=False)
    dest.parent.mkdir(parents=True, exist_ok=True)
    part = dest.with_name(part_name(str(dest), sha256))
    resumed = part.stat().st_size if part.exists() else 0

    def receive() -> None:
        with part.open("ab") as file:
            through.begin_at(file.tell())
            files.fetch(path, file, file.tell(), size, through.take)
            file.flush()
            os.fsync(file.fileno())

    through.persist(receive)
    if (found := sum_of(part)) != sha256:
        part.unlink()
        raise TransferFailed(files.host, f"{path} changed meanwhile: what arrived has the sha256 {found}, not {sha256}")
    _name(part, dest)
    return Transferred(
        host=files.host,
        path=str(dest),
        bytes=size,
        sha256=sha256,
        resumed=resumed,
        cuts=through.cuts,
        seconds=time.monotonic() - began,
    )


def _name(part: Path, dest: Path) -> None:
    part.replace(dest)
    directory = os.open(dest.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
