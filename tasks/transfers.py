"""Files between the controller and its hosts, with a progress bar for each in the UI."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture

from remotejobs.errors import UsageError
from remotejobs.model import State
from remotejobs.operations.placeholders import filled
from remotejobs.operations.transfer import Ends, Moved, Throttle, Transferred, pull, push
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import fleet_with, host_of
from remotejobs.prefect.tasks.jobs.bars import Bar
from remotejobs.prefect.tasks.jobs.reports import TableRow, after_failures, key_of, publish_table
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.text import duration, size


@task(task_run_name="push {source} to {host}", cache_policy=NO_CACHE)
def push_file(source: str, dest: str, host: str, access: Access, rate: int = 0, sha256: str = "") -> Transferred:
    """Copy the controller's file `source` to `dest` on `host`, resumed after cuts; `rate` is bytes a second, 0 for any.

    Run again it goes on where it was. Raises as `remotejobs.operations.transfer.push`.
    """
    bar = _bar(f"{Path(source).name} to {host}")
    with _ends(access, host) as ends:
        return _logged(push(Path(source), dest, ends, sha256=sha256, throttle=Throttle(rate), report=bar))


@task(task_run_name="pull {source} from {host}", cache_policy=NO_CACHE)
def pull_file(source: str, dest: str, host: str, access: Access, rate: int = 0) -> Transferred:
    """Copy the file `source` of `host` to `dest` on the controller; raises as `remotejobs.operations.transfer.pull`."""
    bar = _bar(f"{Path(source).name} from {host}")
    with _ends(access, host) as ends:
        return _logged(pull(source, Path(dest), ends, throttle=Throttle(rate), report=bar))


def places(dest: str, hosts: tuple[str, ...], access: Access) -> dict[str, str]:
    """Where each host's file goes: `dest` with {host} filled in. `UsageError` when two would go to the same place."""
    found = {name: filled(dest, host_of(access, name)) for name in hosts}
    if len(set(found.values())) < len(found):
        raise UsageError(f"{len(found)} hosts would write to {dest}", remedy="Put {host} into it.")
    return found


def report_transfers(step: str, title: str, runs: Mapping[str, PrefectFuture[Transferred]]) -> list[Transferred]:
    """Wait for the transfers, one a host, and publish them in the table STEP-file. `HostsFailed` where one failed."""
    done, results = values_of(step, runs)
    publish_table(f"{step}-file", title, after_failures(results, [_row(each) for each in done.values()]))
    raise_for(results)
    return list(done.values())


def _row(done: Transferred) -> TableRow:
    return {
        "host": done.host,
        "state": State.SUCCEEDED,
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
    get_run_logger().info("%s", ", ".join(f"{name}: {value}" for name, value in _row(done).items() if value))
    return done


def _bar(what: str) -> Callable[[Moved], None]:
    bar = Bar(key_of("transfer", what), what)

    def report(moved: Moved) -> None:
        percent = 100 * moved.done / moved.total if moved.total else 100.0
        bar.move(percent, f"{size(moved.done)} of {size(moved.total)}", over=moved.done == moved.total)

    return report
