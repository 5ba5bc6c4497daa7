"""Files between the controller and its hosts, with a progress bar for each in the UI."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from remotejobs.display.text import duration, size
from remotejobs.errors import BadUse
from remotejobs.placeholders import filled
from remotejobs.transfer import Ends, Moved, Throttle, Transferred, pull, push
from tasks.access import Access
from tasks.connections import fleet_with, host_of
from tasks.reports import Row, key_of

_UPDATE_EVERY = 2.0  # seconds


@task(task_run_name="push {source} to {host}", cache_policy=NO_CACHE)
def push_file(source: str, dest: str, host: str, access: Access, rate: int = 0, sha256: str = "") -> Transferred:
    """Copy the controller's file `source` to `dest` on `host`, resumed after cuts; `rate` is bytes a second, 0 for any.

    Run again it goes on where it was. Raises as `remotejobs.transfer.push`.
    """
    bar = _Bar(f"{Path(source).name} to {host}")
    with _ends(access, host) as ends:
        return _logged(push(Path(source), dest, ends, sha256=sha256, throttle=Throttle(rate), tell=bar))


@task(task_run_name="pull {source} from {host}", cache_policy=NO_CACHE)
def pull_file(source: str, dest: str, host: str, access: Access, rate: int = 0) -> Transferred:
    """Copy the file `source` of `host` to `dest` on the controller; raises as `remotejobs.transfer.pull`."""
    bar = _Bar(f"{Path(source).name} from {host}")
    with _ends(access, host) as ends:
        return _logged(pull(source, Path(dest), ends, throttle=Throttle(rate), tell=bar))


def places(dest: str, hosts: tuple[str, ...], access: Access) -> dict[str, str]:
    """Where each host's file goes: `dest` with {host} filled in. `BadUse` when two would go to the same place."""
    found = {name: filled(dest, host_of(access, name)) for name in hosts}
    if len(set(found.values())) < len(found):
        raise BadUse(f"{len(found)} hosts would write to {dest}", remedy="Put {host} into it.")
    return found


def transfer_row(done: Transferred) -> Row:
    """One row of the table of transfers."""
    return {
        "host": done.host,
        "path": done.path,
        "size": size(done.bytes),
        "took": duration(done.seconds) if done.changed else "was there already",
        "sha256": done.sha256,
        "from an earlier try": size(done.resumed) if done.resumed else "",
        "lost connections": done.cuts or "",
    }


@contextmanager
def _ends(access: Access, host: str) -> Iterator[Ends]:
    ends = Ends.of(fleet_with(host, access), host, access.choice())
    with closing(ends.files):
        yield ends


def _logged(done: Transferred) -> Transferred:
    get_run_logger().info("%s", ", ".join(f"{name}: {value}" for name, value in transfer_row(done).items() if value))
    return done


class _Bar:
    """A progress bar in the UI, moved now and then."""

    def __init__(self, what: str) -> None:
        self._what = what
        made = create_progress_artifact(0.0, key=key_of("transfer", what), description=what)
        assert isinstance(made, UUID)  # a coroutine only where an event loop runs
        self._artifact = made
        self._moved_at = 0.0

    def __call__(self, moved: Moved) -> None:
        over = moved.done == moved.total
        if over or time.monotonic() >= self._moved_at + _UPDATE_EVERY:
            self._moved_at = time.monotonic()
            percent = 100 * moved.done / moved.total if moved.total else 100.0
            said = f"{self._what}: {size(moved.done)} of {size(moved.total)}"
            update_progress_artifact(self._artifact, percent, description=said)
