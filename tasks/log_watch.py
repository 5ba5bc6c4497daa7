"""Following a file on hosts while something else goes on, and keeping what was written to it meanwhile.

with log_watch("/var/log/app/app.log", "web*", access):
    rolling_update(access, "web*", update)
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from remotejobs.agent.request import Read
from remotejobs.errors import HostError
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Handle, Job, Record
from remotejobs.prefect.tasks.access import Access, command_line
from remotejobs.prefect.tasks.cancel.end_jobs import became
from remotejobs.prefect.tasks.connections import host_names, jobs_of, jobs_on
from remotejobs.prefect.tasks.jobs.errors import JobFailed
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.job import AGAIN_AFTER, if_unreachable
from remotejobs.prefect.tasks.jobs.reports import key_of
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.prefect.tasks.runs.started import note_jobs
from remotejobs.text import decoded, fenced, size, visible

_LABEL = "log watch"
KEPT_BYTES = 256 * 1024  # of each host's lines, the last ones
_LONGEST = 12 * 3600  # seconds: for a watch that was not stopped
_BEGINS_WITHIN = 60.0  # seconds
# Where the kernel does not report it, tail polls once a second: so long may lines stand in the file without being
# copied. GNU's, when it polls, checks only after five polls whether the name means another file now.
_COPIED_WITHIN = 2

# From the end that the file has now, through rotations, also when it is only made later.
_FOLLOW = """at=0
if [ -e {path} ]; then at=$(wc -c < {path}) || exit; fi
often='--sleep-interval=0.5 --max-unchanged-stats=1'
tail $often /dev/null 2>/dev/null || often=
echo "following from byte $at on" >&2
exec tail $often -c "+$((at + 1))" -F {path}"""


class NotFollowing(HostError):
    """Check whether the file is a regular one, and whether its disk answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedLog:
    """What was written to the file on one host: the last `KEPT_BYTES` at most, of `total` bytes."""

    host: str
    path: str
    lines: bytes
    total: int
    log_command: str


@contextmanager
def log_watch(path: str, hosts: str, access: Access) -> Iterator[tuple[Handle, ...]]:
    """Follow a file on every host of a pattern; at the end stop, with proof, and keep what was written as artifacts.

    It is following when the block begins, and a failure of the block stays the failure. Raises `HostsFailed` if a file
    cannot be followed. A resumed run continues the watch that it began.
    """
    started = {host: start_watch.submit(path, host, access) for host in host_names(access, hosts)}
    handles, ends = values_of(_LABEL, started)
    try:
        raise_for(ends)
        yield tuple(handles.values())
    finally:
        stopped = {host: stop_watch.submit(path, handle, access) for host, handle in handles.items()}
        watched, ends = values_of(f"stop {_LABEL}", stopped)
        for each in watched.values():
            publish_watched(each)
        for end in ends:
            if not end.succeeded:
                get_run_logger().error("%s on %s: %s", end.step, end.host, end.reason)


@task(task_run_name="follow {path} on {host}", cache_policy=NO_CACHE)
def start_watch(path: str, host: str, access: Access, within: float = _BEGINS_WITHIN) -> Handle:
    """Start following, and return once it is sure that nothing written from now on is missed.

    Raises `JobFailed` when the file cannot be followed, `NotFollowing` when it is not sure after `within` seconds, and
    other `HostError`.
    """
    jobs = jobs_on(access, host)
    record = _started(jobs, path, host, access, within)
    handle = replace(record.handle, label=_LABEL)
    if record.finished:
        raise JobFailed(replace(record, label=_LABEL), command_line("log", handle, access, "--stderr"))
    if not _follows(record):
        record = jobs.kill(record.jid)
        raise NotFollowing(host, f"{path} is not followed after {within:g} s. The watch was {became(record)}")
    get_run_logger().info("follow it with: %s", command_line("log", handle, access, "--follow"))
    return handle


@task(
    task_run_name="stop following {path} on {handle.host}",
    retries=len(AGAIN_AFTER),
    retry_delay_seconds=AGAIN_AFTER,
    retry_condition_fn=if_unreachable,
    cache_policy=NO_CACHE,
)
def stop_watch(path: str, handle: Handle, access: Access) -> WatchedLog:
    """Stop following once what was written by now has been copied, and return it. Raises `HostError`."""
    jobs = jobs_of(access, handle)
    jobs.record(handle.jid, wait=_COPIED_WITHIN)
    record = jobs.kill(handle.jid)
    get_run_logger().info("%s on %s: %s. %s", _LABEL, handle.host, record.state, record.msg)
    (record,) = jobs.status([Read(handle.jid, max_bytes=KEPT_BYTES)])
    log_command = command_line("log", handle, access)
    return WatchedLog(
        host=handle.host, path=path, lines=record.stdout, total=record.stdout_bytes, log_command=log_command
    )


def publish_watched(watched: WatchedLog) -> None:
    """Attach what was written on one host to the flow run, fit to be shown."""
    lines = visible(decoded(watched.lines)).rstrip("\n")
    where = f"The last {size(len(watched.lines))} of {size(watched.total)}; all of it: `{watched.log_command}`\n\n"
    key = key_of(_LABEL, watched.host)
    head = where if watched.total > len(watched.lines) else ""
    text = f"{head}{fenced(lines)}" if lines else "Nothing was written."
    create_markdown_artifact(text, key=key, description=f"{watched.path} on {watched.host}")


def _started(jobs: HostJobs, path: str, host: str, access: Access, within: float) -> Record:
    """The watch that runs, once it follows: the run's own, started before, or the next one after what was stopped."""
    for number in count(1):
        command = _FOLLOW.format(path=shlex.quote(path))
        jid = jid_for(_LABEL, f"{path} {number}")
        job = Job(jid=jid, cmd=command, label=f"{_LABEL} {path}", timeout=_LONGEST)
        note_jobs(access, [(job, host)])
        record = jobs.start(job)
        if not (record.attached and record.finished):
            break
    give_up = time.monotonic() + within
    record = jobs.record(jid)
    while not record.finished and not _follows(record) and time.monotonic() < give_up:
        record = jobs.record(jid, wait=1)
    return record


def _follows(record: Record) -> bool:
    return b"following" in record.stderr
