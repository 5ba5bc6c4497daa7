"""Jobs as Prefect sees them: start, poll, kill, read, clean. Every parameter is a name or plain data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import TaskRun
from prefect.tasks import Task

from remotejobs.agent.request import Read
from remotejobs.errors import HostError
from remotejobs.jobs.client import LONGEST_WAIT, HostJobs
from remotejobs.model import Handle, Job, Record
from remotejobs.prefect.tasks.access import Access, command_line
from remotejobs.prefect.tasks.connections import jobs_of, jobs_on
from remotejobs.prefect.tasks.jobs.attempt import this_attempt
from remotejobs.prefect.tasks.jobs.bars import job_bars
from remotejobs.prefect.tasks.jobs.errors import RetriesExhausted, StillRunning
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.outcomes import (
    FailedWhen,
    given_up,
    is_unreachable,
    lost_sight,
    progress_of,
    success_of,
)
from remotejobs.prefect.tasks.jobs.output import LOG_BYTES, followed
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.runs.started import note_jobs

AGAIN_AFTER = [5.0, 15.0, 45.0]  # seconds; for what may be asked of a host twice
_LONG_POLL = 30.0  # seconds to wait on the host at a time


def if_unreachable(_task: Task[Any, Any], _run: TaskRun, state: RunState[Any]) -> bool:
    """For retry_condition_fn: only a host that could not be asked is asked again."""
    return is_unreachable(state.data)


def if_running(_task: Task[Any, Any], _run: TaskRun, state: RunState[Any]) -> bool:
    """For retry_condition_fn: a watch asks again by itself, and what it could not see in time is final."""
    return isinstance(state.data, StillRunning)


def while_running(_task: Task[Any, Any], _run: TaskRun, state: RunState[Any]) -> bool:
    """For retry_condition_fn: a job that still runs is polled again, and a host that told nothing of it asked again."""
    return isinstance(state.data, StillRunning) or (isinstance(state.data, HostError) and state.data.transient)


@task(
    task_run_name="start {job.label} on {host}",
    retries=len(AGAIN_AFTER),
    retry_delay_seconds=AGAIN_AFTER,
    retry_condition_fn=if_unreachable,
    cache_policy=NO_CACHE,
)
def start_job(job: Job, host: str, access: Access) -> Handle:
    """Start `job` detached on `host`, or attach to it when it is there already; returns how to find it again.

    An unreachable host is tried again, which is safe: a jid never runs twice. Raises `HostError`.
    """
    note_jobs(access, [(job, host)])
    record = jobs_on(access, host).start(job)
    what = "attached to" if record.attached else "started"
    get_run_logger().info("%s job %s on %s, in %s: %s", what, job.jid, host, record.results_dir, record.state)
    return replace(record.handle, label=job.label or job.jid)


def polling(until: Until, pause: float, again: Callable[..., bool] = while_running) -> dict[str, Any]:
    """What makes a task of one attempt a poll, with a `pause` after each: Prefect's retries, as `until` says."""
    return {
        "retries": until.retries,
        "retry_delay_seconds": pause,
        "retry_condition_fn": again,
        "cache_policy": NO_CACHE,
    }


def poll_until(until: Until, failed_when: FailedWhen | None = None) -> Task[..., Record]:
    """The task that polls a job: `poll_until(until).submit(handle, access)` gives the record of its success.

    One attempt asks once, and Prefect's retries make that a poll: `StillRunning` is tried again, and `Unreachable` and
    `ProtocolError`, which tell nothing of the job, and nothing else. It raises `JobFailed` when the job ended in any
    other way, `RetriesExhausted` at the last attempt. `failed_when` decides about a command that ended by itself, in
    place of its return code.
    """

    @task(task_run_name="poll {handle.label} on {handle.host}", **polling(until, until.delay - until.wait))
    def poll_job(handle: Handle, access: Access) -> Record:
        """Poll the job once, for as long as `until.wait` says."""
        return poll_once(handle, access, until, failed_when)

    return poll_job


@task(task_run_name="run {label} on {host}", cache_policy=NO_CACHE)
def run_command(command: str, host: str, access: Access, label: str = "command", timeout: int = 60) -> Record:
    """Run a short command to its end within one task run; `timeout` is seconds. Raises `JobFailed` and `HostError`.

    It is a job like any other: when this task is retried, it attaches.
    """
    jobs = jobs_on(access, host)
    job = Job(jid=jid_for(label, command), cmd=command, label=label, timeout=timeout)
    note_jobs(access, [(job, host)])
    record = jobs.start(job, wait=_LONG_POLL)
    give_up = time.monotonic() + timeout + 2 * job.grace
    while not record.finished and time.monotonic() < give_up:
        record = jobs.record(job.jid, wait=_LONG_POLL)
    if not record.finished:
        status = command_line("status", record.handle, access)
        overdue = f"{label} on {host} has not ended {2 * job.grace} s after its timeout"
        raise RetriesExhausted(f"{overdue}. Check it with: {status}", record)
    return success_of(replace(record.handle, label=label), record, access)


@task(task_run_name="kill {handle.label} on {handle.host}", cache_policy=NO_CACHE)
def kill_job(handle: Handle, access: Access, grace: int | None = None) -> Record:
    """End the job's whole process tree with proof; `grace` is seconds between TERM and KILL (default: the job's).

    The record says how the tree was proven empty, or what survived. Raises `HostError` (`JobNotFound`, `Unreachable`).
    """
    record = jobs_of(access, handle).kill(handle.jid, grace=grace)
    get_run_logger().info("%s on %s: %s. %s", handle.label, handle.host, record.state, record.msg)
    return record


@task(task_run_name="log of {handle.label} on {handle.host}", cache_policy=NO_CACHE)
def fetch_log(handle: Handle, access: Access, max_bytes: int = 1024 * 1024) -> Record:
    """The job's record with the last `max_bytes` of stdout and of stderr, each. Raises `HostError`."""
    return jobs_of(access, handle).status([Read(handle.jid, max_bytes=max_bytes)])[0]


@task(task_run_name="clean {host}", cache_policy=NO_CACHE)
def clean_jobs(
    host: str, access: Access, older_than: float, keep: int = 0, dry_run: bool = False
) -> tuple[Record, ...]:
    """Remove the directories of jobs that ended over `older_than` seconds ago, but not the `keep` newest."""
    return jobs_on(access, host).clean(older_than=older_than, keep=keep, dry_run=dry_run)


def poll_once(handle: Handle, access: Access, until: Until, failed_when: FailedWhen | None = None) -> Record:
    """One attempt of a poll, within a task run. Raises what `poll_until` names, and `StillRunning`."""
    attempt = this_attempt()
    jobs = jobs_of(access, handle)
    began, wait = time.monotonic(), until.last_wait if attempt.is_last else until.wait
    try:
        record = _poll(jobs, handle, wait)
    except HostError as exc:
        if not exc.transient:
            raise
        if attempt.is_last:
            raise lost_sight(handle, access, attempt, exc) from exc
        # A refused connection is known at once; without its part of the delay the retries would soon be used up.
        time.sleep(max(0.0, began + wait - time.monotonic()))
        raise
    if fresh := followed().fresh(handle, record):
        get_run_logger().info("%s", fresh)
    record = job_bars().seen(handle, record, jobs)
    if not record.finished and attempt.is_last:
        record = given_up(jobs, handle, access, attempt, record, until.on_exhausted)
    if not record.finished:
        raise StillRunning(progress_of(handle, record, attempt))
    record = success_of(handle, record, access, failed_when)
    get_run_logger().info("%s", progress_of(handle, record, attempt))
    return record


def _poll(jobs: HostJobs, handle: Handle, wait: float) -> Record:
    """A glimpse while it runs; the 64 KiB that a record holds once it has ended. A host waits for a minute at most."""
    deadline = time.monotonic() + wait
    while True:
        left = max(0.0, deadline - time.monotonic())
        record = jobs.status([Read(handle.jid, max_bytes=LOG_BYTES)], wait=left)[0]
        if record.finished or left <= LONGEST_WAIT:
            return jobs.whole(record)
