"""Starting the jobs of a flow and polling them to their ends: a task run each, or by groups of hosts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import allow_failure
from prefect.futures import PrefectFuture, as_completed

from remotejobs.connections.resource_limits import ensure_resource_limits
from remotejobs.jobs.fleet import WAITS
from remotejobs.model import Handle, Record
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.host_group import JobStep, outcomes_of, poll_group, start_group
from remotejobs.prefect.tasks.jobs.job import poll_until, start_job
from remotejobs.prefect.tasks.jobs.outcomes import FailedWhen, is_unreachable
from remotejobs.prefect.tasks.jobs.results import JobResult, OnFailed, left_running, outcome_of, result_from, result_of
from remotejobs.prefect.tasks.runs.started import note_jobs

_SINGLE = 4  # hosts: up to here each job has task runs of its own
_GROUP = 100  # hosts of a group, about
_LOOKS = 8  # attempts a second of all groups, on average at most; unevenly spread they are ten in some seconds


def run_steps(
    steps: Sequence[JobStep],
    access: Access,
    *,
    group: int = 0,
    failed_when: FailedWhen | None = None,
    shards: int = 1,
    on_failed: OnFailed | None = None,
) -> list[JobResult]:
    """Start every step's job, wait for its end, and return how each ended, in the order of `steps`; nothing is raised.

    With a delay of 0 a job is started and left running. `group` is how many hosts one task run starts and one polls:
    1 for a task run for each job, 0 for what `group_size` says; `shards` is how many runs like this one share the work,
    so that they do not ask too much of Prefect's server together. A group with several jobs on a host is polled as long
    as the one with the longest `until`. `on_failed` gets jobs that failed while others go on. Raises
    `ResourceLimitExceeded` when this process cannot have so many hosts.
    """
    hosts = list(dict.fromkeys(step.host for step in steps))
    ensure_resource_limits(len(hosts))
    note_jobs(access, [(step.job, step.host) for step in steps])
    most = max(Counter(step.host for step in steps).values(), default=0)
    size = group or group_size(len(hosts), min((step.until.delay for step in steps), default=0), shards, most)
    if size == 1:
        return _one_by_one(steps, access, failed_when, on_failed)
    polling = _Polling(access, failed_when, on_failed)
    found = {(result.host, jid): result for jid, result in _by_groups(steps, hosts, size, polling)}
    return [found[step.host, step.job.jid] for step in steps]


def group_size(hosts: int, delay: float, shards: int = 1, jobs: int = 1) -> int:
    """How many hosts a group has by default: 1 where all shards together have up to 4 hosts, none of which has
    more jobs than can be waited for at a time over its connection. Otherwise about 100, and so many that no more than
    ten attempts a second reach Prefect's server where each lasts `delay` seconds, unless a single group of each shard
    is more than that."""
    if hosts * shards <= _SINGLE and jobs <= WAITS:
        return 1
    groups = math.ceil(hosts / _GROUP)
    if delay:
        groups = min(groups, max(1, math.floor(_LOOKS * delay / shards)))
    return math.ceil(hosts / groups)


def _one_by_one(
    steps: Sequence[JobStep], access: Access, failed_when: FailedWhen | None, on_failed: OnFailed | None
) -> list[JobResult]:
    polls = {step.until: poll_until(step.until, failed_when) for step in steps}
    started = [start_job.submit(step.job, step.host, access) for step in steps]
    waited = [
        polls[step.until].submit(start, access) if step.until.delay else None
        for step, start in zip(steps, started, strict=True)
    ]

    def result(step: JobStep, start: PrefectFuture[Handle], poll: PrefectFuture[Record] | None) -> JobResult:
        if poll:
            return result_of(step.label, step.host, start, poll)
        return left_running(step.label, step.host, outcome_of(start), access)

    if on_failed:
        mine: dict[PrefectFuture[Any], Any] = {
            poll or start: (step, start, poll) for step, start, poll in zip(steps, started, waited, strict=True)
        }
        for over in as_completed(list(mine)):
            if not (found := result(*mine[over])).succeeded:
                on_failed([found])
    return [result(step, start, poll) for step, start, poll in zip(steps, started, waited, strict=True)]


@dataclass(frozen=True, slots=True)
class _Polling:
    """How all groups of a run are polled."""

    access: Access
    failed_when: FailedWhen | None
    on_failed: OnFailed | None


def _by_groups(
    steps: Sequence[JobStep], hosts: Sequence[str], size: int, polling: _Polling
) -> Iterator[tuple[str, JobResult]]:
    """The end of each step's job, with its jid."""
    groups = _begin(steps, hosts, size, polling, retry_unreachable=False)
    # Beside the others, whose ends must not be learned later because of it.
    unreachable = [step for group in groups for step, first in group.started() if is_unreachable(first)]
    away = list(dict.fromkeys(step.host for step in unreachable))
    for group in [*groups, *_begin(unreachable, away, size, polling, retry_unreachable=True)]:
        yield from group.results(polling.access)


@dataclass(frozen=True, slots=True)
class _Group:
    """The task runs of one group of hosts; no poll where its jobs are left running."""

    steps: Sequence[JobStep]
    start: PrefectFuture[Any]
    poll: PrefectFuture[Any] | None
    retry_unreachable: bool

    def started(self) -> Iterator[tuple[JobStep, object]]:
        """Each step with its handle, or why there is none."""
        return zip(self.steps, outcomes_of(outcome_of(self.start), len(self.steps)), strict=True)

    def results(self, access: Access) -> Iterator[tuple[str, JobResult]]:
        """How each step's job ended, with its jid; nothing of hosts that another group asks again."""
        polled = iter(outcomes_of(outcome_of(self.poll), len(self.steps)) if self.poll else ())
        for step, first in self.started():
            if is_unreachable(first) and not self.retry_unreachable:
                continue
            if self.poll is None:
                yield step.job.jid, left_running(step.label, step.host, first, access)
            else:
                last = next(polled) if isinstance(first, Handle) else first
                yield step.job.jid, result_from(step.label, step.host, last)


def _begin(
    steps: Sequence[JobStep], hosts: Sequence[str], size: int, polling: _Polling, *, retry_unreachable: bool
) -> list[_Group]:
    """Submit the starts and polls of all groups."""
    parts = [_steps_on(steps, hosts[at : at + size]) for at in range(0, len(hosts), size)]
    names = [_name_of(part) for part in parts]
    access = polling.access
    started = [
        start_group(retry_unreachable=retry_unreachable, on_failed=polling.on_failed).submit(name, part, access)
        for name, part in zip(names, parts, strict=True)
    ]
    groups = []
    for name, part, start in zip(names, parts, started, strict=True):
        until = max((step.until for step in part), key=lambda until: until.retries * until.delay)
        # What was started is polled, also when not all was.
        poll = poll_group(until, polling.failed_when, polling.on_failed)
        waited = poll.submit(name, allow_failure(start), access) if until.delay else None
        groups.append(_Group(part, start, waited, retry_unreachable))
    return groups


def _steps_on(steps: Iterable[JobStep], hosts: Sequence[str]) -> list[JobStep]:
    wanted = set(hosts)
    return [step for step in steps if step.host in wanted]


def _name_of(steps: Sequence[JobStep]) -> str:
    """`vacuum on web001 to web100 (100 hosts)`"""
    labels = list(dict.fromkeys(step.label for step in steps))
    hosts = list(dict.fromkeys(step.host for step in steps))
    what = labels[0] if len(labels) == 1 else f"{len(labels)} jobs"
    where = hosts[0] if len(hosts) == 1 else f"{hosts[0]} to {hosts[-1]} ({len(hosts)} hosts)"
    return f"{what} on {where}"
