"""Jobs of many hosts in few task runs: a group of hosts is started by one and polled by one.

A task run costs Prefect's server many times what a job costs its host. The host's truth stays visible: a line in the
log for each change, a table and a progress bar of the group, and all that failed in the state's message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from logging import Logger, LoggerAdapter
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import TaskRun
from prefect.tasks import Task

from remotejobs.errors import RemoteJobsError, Unreachable
from remotejobs.jobs.fleet import each_of
from remotejobs.model import Handle, Job, Record
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on, prepare
from remotejobs.prefect.tasks.jobs.attempt import this_attempt
from remotejobs.prefect.tasks.jobs.errors import GroupFailed, HostsUnreachable, StillRunning
from remotejobs.prefect.tasks.jobs.host_group_poll import GroupPoll
from remotejobs.prefect.tasks.jobs.host_group_progress import log_not_started
from remotejobs.prefect.tasks.jobs.job import AGAIN_AFTER
from remotejobs.prefect.tasks.jobs.outcomes import FailedWhen, is_unreachable
from remotejobs.prefect.tasks.jobs.results import OnFailed, failures_of, left_running
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.runs.started import note_jobs

_NAMED = 20  # hosts in a message that is tried again

_Logger = Logger | LoggerAdapter[Any]
HandleOrError = Handle | RemoteJobsError
RecordOrError = Record | RemoteJobsError


@dataclass(frozen=True, slots=True)
class JobStep:
    """One job on one host, and how it is polled."""

    job: Job
    host: str
    until: Until

    @property
    def label(self) -> str:
        return self.job.label or self.job.jid


def start_group(*, retry_unreachable: bool, on_failed: OnFailed | None = None) -> Task[..., tuple[HandleOrError, ...]]:
    """The task that starts the jobs of one group: a handle for each step, in order.

    Hosts that could not be asked are tried again, and only they, where it is `retry_unreachable`; otherwise they are
    among the answers, and nothing waits for them. At the end it raises `GroupFailed` when another job was not started,
    with a handle or an error for each step; `on_failed` gets these first. One task is for one group, whose
    answers it remembers.
    """
    known: dict[tuple[str, str], HandleOrError] = {}

    @task(
        task_run_name="start {name}",
        retries=len(AGAIN_AFTER) if retry_unreachable else 0,
        retry_delay_seconds=AGAIN_AFTER,
        retry_condition_fn=_to_be_tried_again,
        cache_policy=NO_CACHE,
    )
    def start_jobs(name: str, steps: Sequence[JobStep], access: Access) -> tuple[HandleOrError, ...]:
        """Start what is not started yet, or attach to it."""
        note_jobs(access, [(step.job, step.host) for step in steps])
        _start(steps, access, known)
        outcomes = [known[step.host, step.job.jid] for step in steps]
        unreachable = {
            step.host: str(error) for step, error in zip(steps, outcomes, strict=True) if is_unreachable(error)
        }
        said = "\n".join([f"{name}: {len(unreachable)} hosts could not be asked", *list(unreachable.values())[:_NAMED]])
        if unreachable and retry_unreachable and not this_attempt().is_last:
            raise HostsUnreachable(said)
        if unreachable and not retry_unreachable:
            get_run_logger().warning("%s", said)
        results = [
            left_running(step.label, step.host, outcome, access)
            for step, outcome in zip(steps, outcomes, strict=True)
            if retry_unreachable or not is_unreachable(outcome)
        ]
        if failed := failures_of(results):
            log_not_started(name, results)
            if on_failed:
                on_failed([result for result in results if not result.succeeded])
            raise GroupFailed(f"start {name}: {failed}", outcomes)
        return tuple(outcomes)

    return start_jobs


def poll_group(
    until: Until, failed_when: FailedWhen | None = None, on_failed: OnFailed | None = None
) -> Task[..., tuple[RecordOrError, ...]]:
    """The task that polls the started jobs of one group: the record of each, in the order of its handles.

    The waiting is done on the hosts, all the time, so an end is known at once; an attempt lasts `until.delay` and is
    over earlier when nothing runs any more. `StillRunning` is tried again. At the end it raises `GroupFailed` when a
    job did not succeed, with a record or an error for each; `on_failed` gets those that failed as soon as they
    did. One task is for one group, which it goes on watching.
    """
    polls: list[GroupPoll] = []

    @task(
        task_run_name="poll {name}",
        retries=until.retries,
        retry_delay_seconds=0,  # an attempt is as long as the delay
        retry_condition_fn=_to_be_tried_again,
        cache_policy=NO_CACHE,
    )
    def poll_jobs(name: str, started: object, access: Access) -> tuple[RecordOrError, ...]:
        """Wait for those jobs that were `started`, for as long as `until.delay` says."""
        if not polls:
            handles = [each for each in outcomes_of(started, 0) if isinstance(each, Handle)]
            polls.append(GroupPoll(name, handles, access, until, failed_when, on_failed))
        return polls[0].poll(this_attempt())

    return poll_jobs


def outcomes_of(came: object, count: int) -> Sequence[object]:
    """What came of each of a group's `count` jobs. A task run that broke for another reason says the same of all."""
    if isinstance(came, GroupFailed):
        return came.outcomes
    return came if isinstance(came, tuple) else [came] * count


def _to_be_tried_again(_task: Task[Any, Any], _run: TaskRun, state: RunState[Any]) -> bool:
    return isinstance(state.data, HostsUnreachable | StillRunning)


def _start(steps: Sequence[JobStep], access: Access, known: dict[tuple[str, str], HandleOrError]) -> None:
    """Start on every host what `known` has no answer of, side by side, and keep the answers there."""
    prepare(access)
    wanted: dict[str, list[Job]] = {}
    for step in steps:
        answer = known.get((step.host, step.job.jid))
        if answer is None or is_unreachable(answer):
            wanted.setdefault(step.host, []).append(step.job)
    start = partial(_start_on, wanted=wanted, access=access, logger=get_run_logger())
    for outcome in each_of(wanted, start, workers=access.forks):
        for job in wanted[outcome.host]:
            answer = outcome.error or (outcome.value or {}).get(job.jid)
            assert answer is not None
            known[outcome.host, job.jid] = answer


def _start_on(
    host: str, *, wanted: Mapping[str, Sequence[Job]], access: Access, logger: Logger | LoggerAdapter[Any]
) -> dict[str, HandleOrError]:
    """The jobs of one host by jid; a refused one keeps no other from being started, but an unreachable host does."""
    jobs, answers = jobs_on(access, host), dict[str, HandleOrError]()
    gone: RemoteJobsError | None = None
    for job in wanted[host]:
        try:
            if gone:
                raise gone
            record = jobs.start(job)
        except RemoteJobsError as exc:
            answers[job.jid] = exc
            gone = exc if isinstance(exc, Unreachable) else None
            continue
        what = "attached to" if record.attached else "started"
        logger.info("%s job %s on %s, in %s: %s", what, job.jid, host, record.results_dir, record.state)
        answers[job.jid] = replace(record.handle, label=job.label or job.jid)
    return answers
