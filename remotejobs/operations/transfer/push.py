"""From the controller to a host: resumed after a cut, checked on both ends, and there at once or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

from remotejobs.errors import UsageError
from remotejobs.operations.transfer.here import here, sum_of
from remotejobs.operations.transfer.steps import Ends, Report, Through, Transferred, part_name
from remotejobs.operations.transfer.throttle import Throttle


def push(
    source: Path,
    dest: str,
    ends: Ends,
    *,
    sha256: str = "",
    throttle: Throttle | None = None,
    report: Report = lambda _moved: None,
) -> Transferred:
    """Copy the file `source` to `dest` over there; with a slash at its end, into that directory.

    What arrived before a cut is kept, also for a later call with the same content. `sha256` is that of `source`, where
    it is known already. Raises `UsageError` for a source that cannot be read, `FileRefused` for what the host refuses,
    and `Unreachable`.
    """
    size, mode = size_and_mode(source)
    sha256 = sha256 or sum_of(source)
    files = ends.files
    through = Through(ends, throttle, report, total=size)
    path = through.persist(lambda: files.absolute(f"{dest}{source.name}" if dest.endswith("/") else dest))
    if through.persist(lambda: files.size(path)) == size and ends.digest(path) == sha256:
        return through.was_there(path, sha256)
    # As another user, who may write where the one who logs in may not, only the end is made.
    directory = files.absolute("").rstrip("/") if ends.becomes else str(Path(path).parent)
    part = f"{directory}/{part_name(path, sha256)}"

    def send() -> None:
        at = files.size(part) or 0
        at = at if at <= size else 0
        through.begin_at(at)
        with here(source), source.open("rb") as file:

            def read(count: int) -> bytes:
                with here(source):
                    return file.read(count)

            file.seek(at)
            files.append(part, read, at, through.take)

    through.persist(send)
    ends.seal(part, path, sha256, mode)
    return through.ended(path, sha256)


def size_and_mode(source: Path) -> tuple[int, int]:
    """Size and mode of a file here. `UsageError` when there is none to send."""
    with here(source):
        found = source.stat()
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{source} is no regular file", remedy="Pack a directory into an archive first.")
    return found.st_size, stat.S_IMODE(found.st_mode) & 0o777
