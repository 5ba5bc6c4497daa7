"""Following a file on hosts while something else goes on, and keeping what was written to it meanwhile.

with log_watch("/var/log/app/app.log", "web*", access):
    rolling_update(access, "web*", update)
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import TaskRun
from prefect.tasks import Task

from remotejobs.display.text import decoded, size, visible
from remotejobs.errors import Unreachable
from remotejobs.jobs import HostJobs
from remotejobs.model import Handle, Job, Record
from remotejobs.protocol import Read
from tasks.access import Access
from tasks.command_line import command_line
from tasks.connections import host_names, jobs_of, jobs_on
from tasks.ends import raise_for, values_of
from tasks.errors import JobFailed
from tasks.jids import jid_for

LABEL = "log watch"
KEPT_BYTES = 256 * 1024  # of each host's lines, the last ones
_LONGEST = 12 * 3600  # seconds: for a watch that nobody stopped
_BEGINS_WITHIN = 60.0  # seconds
# Where the kernel does not tell it, tail looks once a second: so long may lines stand in the file without being copied.
_COPIED_WITHIN = 2

# From the end that the file has now, through rotations, also when it is only made later.
_FOLLOW = """at=0
if [ -e {path} ]; then at=$(wc -c < {path}) || exit; fi
echo "following from byte $at on" >&2
exec tail -c "+$((at + 1))" -F {path}"""
_STOP_AGAIN_AFTER = [5.0, 15.0, 45.0]  # seconds


def _after_silence(_task: Task[Any, Any], _run: TaskRun, state: RunState[Any]) -> bool:
    error: object = state.data
    return isinstance(error, Unreachable) and error.passing


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was written to the file on one host: the last `KEPT_BYTES` at most, of `total` bytes."""

    host: str
    path: str
    lines: bytes
    total: int
    look: str


@contextmanager
def log_watch(path: str, hosts: str, access: Access) -> Iterator[tuple[Handle, ...]]:
    """Follow a file on every host of a pattern; at the end stop, with proof, and keep what came as an artifact of each.

    It follows when the block begins, and the block's own failure stays the failure. Raises `HostsFailed` when a file
    cannot be followed. A run that is resumed goes on with the watch that it began.
    """
    started = {host: start_watch.submit(path, host, access) for host in host_names(access, hosts)}
    handles, ends = values_of(LABEL, started)
    try:
        raise_for(ends)
        yield tuple(handles.values())
    finally:
        stopped = {host: stop_watch.submit(path, handle, access) for host, handle in handles.items()}
        watched, ends = values_of(f"stop {LABEL}", stopped)
        for each in watched.values():
            publish_watched(each)
        for end in ends:
            if not end.succeeded:
                get_run_logger().error("%s on %s: %s", end.step, end.host, end.reason)


@task(task_run_name="follow {path} on {host}", cache_policy=NO_CACHE)
def start_watch(path: str, host: str, access: Access) -> Handle:
    """Start following, and return once it is sure that nothing written from now on is missed. Raises `HostError`."""
    jobs = jobs_on(access, host)
    record = _begun(jobs, path)
    handle = replace(record.handle, label=LABEL)
    if record.finished:
        raise JobFailed(replace(record, label=LABEL), command_line("log", handle, access, "--stderr"))
    get_run_logger().info("follow it with: %s", command_line("log", handle, access, "--follow"))
    return handle


@task(
    task_run_name="stop following {path} on {handle.host}",
    retries=len(_STOP_AGAIN_AFTER),
    retry_delay_seconds=_STOP_AGAIN_AFTER,
    retry_condition_fn=_after_silence,
    cache_policy=NO_CACHE,
)
def stop_watch(path: str, handle: Handle, access: Access) -> Watched:
    """Stop following once what was written by now has been copied, and return it. Raises `HostError`."""
    jobs = jobs_of(access, handle)
    jobs.look(handle.jid, wait=_COPIED_WITHIN)
    record = jobs.kill(handle.jid)
    get_run_logger().info("%s on %s: %s. %s", LABEL, handle.host, record.state, record.msg)
    (record,) = jobs.status([Read(handle.jid, limit=KEPT_BYTES)])
    look = command_line("log", handle, access)
    return Watched(host=handle.host, path=path, lines=record.stdout, total=record.stdout_bytes, look=look)


def publish_watched(watched: Watched) -> None:
    """Attach what was written on one host to the flow run, fit to be shown."""
    lines = visible(decoded(watched.lines)).rstrip("\n")
    longest = max((len(ticks) for ticks in re.findall("`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)  # what was written cannot end its own frame
    where = f"The last {size(len(watched.lines))} of {size(watched.total)}; all of it: `{watched.look}`\n\n"
    key = "log-watch-" + re.sub(r"[^a-z0-9]+", "-", watched.host.lower()).strip("-")
    head = where if watched.total > len(watched.lines) else ""
    text = f"{head}{fence}\n{lines}\n{fence}" if lines else "Nothing was written."
    create_markdown_artifact(text, key=key, description=f"{watched.path} on {watched.host}")


def _begun(jobs: HostJobs, path: str) -> Record:
    """The record of the watch that runs: the run's own, begun before, or the next one after what was stopped."""
    for number in count(1):
        command = _FOLLOW.format(path=shlex.quote(path))
        jid = jid_for(LABEL, f"{path} {number}")
        record = jobs.start(Job(jid=jid, cmd=command, label=f"{LABEL} {path}", limit=_LONGEST))
        if not (record.attached and record.finished):
            break
    give_up = time.monotonic() + _BEGINS_WITHIN
    record = jobs.look(jid)
    while not record.finished and b"following" not in record.stderr and time.monotonic() < give_up:
        record = jobs.look(jid, wait=1)
    return record
