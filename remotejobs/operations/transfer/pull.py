"""From a host to the controller: resumed after a cut, checked on both ends, and there at once or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from remotejobs.errors import FileRefused
from remotejobs.operations.transfer.here import here, put, sum_of
from remotejobs.operations.transfer.steps import Ends, Report, Through, TransferFailed, Transferred, part_name
from remotejobs.operations.transfer.throttle import Throttle


def pull(
    source: str,
    dest: Path,
    ends: Ends,
    *,
    throttle: Throttle | None = None,
    report: Report = lambda _moved: None,
) -> Transferred:
    """Copy the file `source` from over there to `dest`; where that is a directory, into it.

    What arrived before a cut is kept, also for a later call with the same content. Raises `FileRefused`,
    `TransferFailed` when it changed over there meanwhile, `Unreachable`, and `UsageError` for what this machine
    refuses.
    """
    files = ends.files
    through = Through(ends, throttle, report)
    path = through.persist(lambda: files.absolute(source))
    size = through.persist(lambda: files.size(path))
    if size is None:
        raise FileRefused(files.host, f"{path} does not exist")
    through.total = size
    sha256 = ends.digest(path)
    with here(dest):
        dest = dest / Path(path).name if dest.is_dir() else dest
        if dest.is_file() and dest.stat().st_size == size and sum_of(dest) == sha256:
            return through.was_there(str(dest), sha256)
        dest.parent.mkdir(parents=True, exist_ok=True)
    part = dest.with_name(part_name(str(dest), sha256))

    def receive() -> None:
        with here(part), part.open("ab") as file:

            def write(chunk: bytes) -> None:
                with here(part):
                    file.write(chunk)

            through.begin_at(file.tell())
            files.fetch(path, write, file.tell(), size, through.take)
            file.flush()
            os.fsync(file.fileno())

    through.persist(receive)
    if (found := sum_of(part)) != sha256:
        with here(part):
            part.unlink()
        raise TransferFailed(files.host, f"{path} changed meanwhile: what arrived has the sha256 {found}, not {sha256}")
    put(part, dest)
    return through.ended(str(dest), sha256)
