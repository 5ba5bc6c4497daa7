"""Ending jobs on their hosts, side by side, and reporting of each what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from remotejobs.connections.become import become_for
from remotejobs.connections.resource_limits import raise_resource_limits
from remotejobs.errors import RemoteJobsError
from remotejobs.inventory import Host
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Handle, Record, State
from remotejobs.prefect.tasks.access import Access, command_line
from remotejobs.prefect.tasks.cancel.report import CancelledJob
from remotejobs.prefect.tasks.connections import connections
from remotejobs.text import duration

Suspect = dict[str, str]  # the jobs that may have been started on a host: their labels by jid


def end_jobs_of(suspects: Sequence[tuple[Host, Suspect]], run: str, access: Access) -> list[CancelledJob]:
    """End the jobs whose jids end in `run`, with proof, wherever they are found on the hosts.

    What is found is what counts; `suspects` name what may run on a host that cannot be asked.
    """
    with _side_by_side([host for host, _ in suspects], access) as (fleet, pool):
        results = pool.map(lambda suspect: _end_found(fleet, suspect[0], suspect[1], run, access), suspects)
        return [result for found in results for result in found]


@contextmanager
def _side_by_side(hosts: Sequence[Host], access: Access) -> Iterator[tuple[Fleet, ThreadPoolExecutor]]:
    # Of too many hosts, those that are left are reported as not ended.
    raise_resource_limits(len({host.name for host in hosts}))
    fleet = Fleet(access.reach(hosts), forks=access.forks, connect=connections().connect)
    with fleet, ThreadPoolExecutor(max_workers=access.forks) as pool:
        yield fleet, pool


def _end_found(fleet: Fleet, host: Host, suspect: Suspect, run: str, access: Access) -> list[CancelledJob]:
    try:
        jobs = fleet.jobs(host.name, become=access.choice())
        records = [record for record in jobs.list() if run in record.jid]
    except RemoteJobsError as exc:
        handles = [Handle(host=host.name, jid=jid, label=label) for jid, label in suspect.items()]
        return [_left(replace(handle, become_user=user_on(host, access)), exc, access) for handle in handles]
    results = [_end(jobs, record, access) for record in records if record.jid.endswith(run)]
    # Such as one that installs packages: its name says more behind the run's.
    going = [record for record in records if not record.jid.endswith(run) and not record.finished]
    return [*results, *(_goes_on(record) for record in going)]


def _end(jobs: HostJobs, record: Record, access: Access) -> CancelledJob:
    handle = replace(record.handle, label=record.label or record.jid)
    if not record.finished or record.state is State.LOST:
        try:
            record = jobs.kill(record.jid)
        except RemoteJobsError as exc:
            return _left(handle, exc, access)
    return CancelledJob(handle.host, handle.label, became(record), open_end=bool(record.survivors))


def _goes_on(record: Record) -> CancelledJob:
    return CancelledJob(
        record.host, record.label or record.jid, "it goes on to its end, as it is meant to", goes_on=True
    )


def _left(handle: Handle, error: RemoteJobsError, access: Access) -> CancelledJob:
    remedy = f"End it with: {command_line('kill', handle, access)}"
    return CancelledJob(handle.host, handle.label, f"{error} {remedy}", open_end=True)


def user_on(host: HostLike, access: Access) -> str:
    """The user that the job belongs to; "" for the one that logs in."""
    become = become_for(host, become=True if access.become else None, user=access.become_user or None)
    return become.user if become else ""


def became(record: Record) -> str:
    """`killed after 3.1s: its process tree is proven empty`"""
    after = f" after {duration(record.delta)}" if record.delta is not None else ""
    return f"{record.state}{after}: {record.msg}".removesuffix(": ")
