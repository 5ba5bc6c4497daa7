"""From one host to another by way of this machine, which keeps nothing of it: resumed after a cut."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from remotejobs.connections.connect import open_connection
from remotejobs.jobs.fleet import BecomeChoice, Fleet
from remotejobs.operations.backup.copies.pipe import Pipe
from remotejobs.operations.backup.copies.source import Source
from remotejobs.operations.transfer.steps import Ends, Report, Through
from remotejobs.operations.transfer.throttle import Throttle


def relay(
    fleet: Fleet,
    become: BecomeChoice | None,
    *,
    host: str,
    path: str,
    size: int,
    ends: Ends,
    part: str,
    rate: int = 0,
    report: Report = lambda _moved: None,
) -> None:
    """Copy `path` of `host`, which has `size` bytes, to `part` at `ends`, or the rest of it where a part is there.

    Neither host gets a way to the other. Whether it is whole the other end has to check. Raises `FileRefused` and
    `Unreachable`.
    """
    through = Through(ends, Throttle(rate), report, total=size)
    with closing(open_connection(fleet.hosts[host])) as connection:
        source = Source(connection, fleet.become(host, become))

        def send() -> None:
            at = ends.files.size(part) or 0
            at = at if at <= size else 0
            through.begin_at(at)

            def fetch(write: Callable[[bytes], None]) -> None:
                source.fetch(path, write, at, size)

            with Pipe(fetch) as pipe:
                ends.files.append(part, pipe.read, at, through.take)

        through.persist(send)
