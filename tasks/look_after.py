"""Starting the jobs of a flow and looking after them to their ends: a task run each, or by groups of hosts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from prefect import allow_failure

from remotejobs.model import Handle
from remotejobs.room import make_room
from tasks.access import Access
from tasks.ends import End, end_of, ended, left_running, outcome_of
from tasks.host_group import Step, outcomes_of, poll_group, start_group
from tasks.jobs import poll_until, start_job
from tasks.verdict import FailedWhen

_SINGLE = 50  # hosts: up to here each job has task runs of its own
_GROUP = 100  # hosts of a group, at least
_LOOKS = 8  # attempts a second of all groups, on average at most; unevenly spread they are ten in some seconds


def look_after(
    steps: Sequence[Step], access: Access, *, group: int = 0, failed_when: FailedWhen | None = None
) -> list[End]:
    """Start every step's job, wait for its end, and tell how each ended, in the order of `steps`; nothing is raised.

    With a delay of 0 a job is started and left running. `group` is how many hosts one task run starts and one polls:
    1 for a task run for each job, 0 for that up to 50 hosts and groups above. A group with several jobs on a host is
    polled as long as the most patient of them says. Raises `NoRoom` when this process cannot have so many hosts.
    """
    hosts = list(dict.fromkeys(step.host for step in steps))
    make_room(len(hosts))
    size = group or group_size(len(hosts), min((step.until.delay for step in steps), default=0))
    if size == 1:
        return _one_by_one(steps, access, failed_when)
    found = {(end.host, jid): end for jid, end in _by_groups(steps, hosts, size, access, failed_when)}
    return [found[step.host, step.job.jid] for step in steps]


def group_size(hosts: int, delay: float) -> int:
    """How many hosts a group has when nobody says: 1 up to 50 hosts; above, at least 100, and so many that no more than
    ten attempts a second reach Prefect's server where each lasts `delay` seconds."""
    if hosts <= _SINGLE:
        return 1
    groups = min(math.ceil(hosts / _GROUP), max(1, math.floor(_LOOKS * delay))) if delay else math.ceil(hosts / _GROUP)
    return math.ceil(hosts / groups)


def _one_by_one(steps: Sequence[Step], access: Access, failed_when: FailedWhen | None) -> list[End]:
    polls = {step.until: poll_until(step.until, failed_when) for step in steps}
    started = [start_job.submit(step.job, step.host, access) for step in steps]
    waited = [
        polls[step.until].submit(start, access) if step.until.delay else None
        for step, start in zip(steps, started, strict=True)
    ]
    return [
        end_of(step.label, step.host, start, poll)
        if poll
        else left_running(step.label, step.host, outcome_of(start), access)
        for step, start, poll in zip(steps, started, waited, strict=True)
    ]


def _by_groups(
    steps: Sequence[Step], hosts: Sequence[str], size: int, access: Access, failed_when: FailedWhen | None
) -> Iterator[tuple[str, End]]:
    """The end of each step's job, with its jid."""
    parts = [_steps_on(steps, hosts[at : at + size]) for at in range(0, len(hosts), size)]
    names = [_name_of(part) for part in parts]
    started = [start_group().submit(name, part, access) for name, part in zip(names, parts, strict=True)]
    polled = []
    for name, part, start in zip(names, parts, started, strict=True):
        until = max((step.until for step in part), key=lambda until: until.retries * until.delay)
        # What was started is polled, also when not all was.
        poll = poll_group(until, failed_when)
        polled.append(poll.submit(name, allow_failure(start), access) if until.delay else None)
    for part, start, wait in zip(parts, started, polled, strict=True):
        begun = outcomes_of(outcome_of(start), len(part))
        ends = iter(outcomes_of(outcome_of(wait), len(part)) if wait else ())
        for step, first in zip(part, begun, strict=True):
            if wait is None:
                yield step.job.jid, left_running(step.label, step.host, first, access)
            else:
                last = next(ends) if isinstance(first, Handle) else first
                yield step.job.jid, ended(step.label, step.host, last)


def _steps_on(steps: Iterable[Step], hosts: Sequence[str]) -> list[Step]:
    wanted = set(hosts)
    return [step for step in steps if step.host in wanted]


def _name_of(steps: Sequence[Step]) -> str:
    """`vacuum on web001 to web100 (100 hosts)`"""
    labels = list(dict.fromkeys(step.label for step in steps))
    hosts = list(dict.fromkeys(step.host for step in steps))
    what = labels[0] if len(labels) == 1 else f"{len(labels)} jobs"
    where = hosts[0] if len(hosts) == 1 else f"{hosts[0]} to {hosts[-1]} ({len(hosts)} hosts)"
    return f"{what} on {where}"
