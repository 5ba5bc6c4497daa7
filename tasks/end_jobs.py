"""Ending jobs on their hosts, side by side, and telling of each what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from remotejobs.become import become_for
from remotejobs.display.text import duration
from remotejobs.errors import NoSuchJob, RemoteJobsError
from remotejobs.fleet import Fleet
from remotejobs.inventory import Host
from remotejobs.model import Handle, Record, State
from remotejobs.room import make_what_room_there_is
from remotejobs.variables import Host as AnyHost
from tasks.access import Access
from tasks.cancel_report import JobEnd
from tasks.command_line import command_line
from tasks.connections import connections


def end_jobs(jobs: Sequence[tuple[Host, Handle]], access: Access) -> list[JobEnd]:
    """Kill every one of `jobs`, with proof. One that was never started is fine; what cannot be ended is told."""
    with _side_by_side([host for host, _ in jobs], access) as (fleet, pool):
        return list(pool.map(lambda job: _end(fleet, job[0], job[1], access), jobs))


def end_jobs_found(hosts: Sequence[Host], run: str, access: Access) -> list[JobEnd]:
    """Kill the jobs whose jids end in `run`, wherever they are found on `hosts`."""
    with _side_by_side(hosts, access) as (fleet, pool):
        return [end for ends in pool.map(lambda host: _end_found(fleet, host, run, access), hosts) for end in ends]


@contextmanager
def _side_by_side(hosts: Sequence[Host], access: Access) -> Iterator[tuple[Fleet, ThreadPoolExecutor]]:
    # Of too many hosts, those that are left are told as not ended.
    make_what_room_there_is(len({host.name for host in hosts}))
    fleet = Fleet(access.reach(hosts), forks=access.forks, connect=connections().connect)
    with fleet, ThreadPoolExecutor(max_workers=access.forks) as pool:
        yield fleet, pool


def _end(fleet: Fleet, host: Host, handle: Handle, access: Access) -> JobEnd:
    try:
        handle = replace(handle, become_user=user_on(host, access))
        record = fleet.jobs(host.name, become=access.choice()).kill(handle.jid)
    except NoSuchJob:
        return JobEnd(handle.host, handle.label, "it had not been started")
    except RemoteJobsError as exc:
        remedy = f"End it with: {command_line('kill', handle, access)}"
        return JobEnd(handle.host, handle.label, f"{exc} {remedy}", open_end=True)
    return JobEnd(handle.host, handle.label, became(record), open_end=bool(record.survivors))


def _end_found(fleet: Fleet, host: Host, run: str, access: Access) -> list[JobEnd]:
    try:
        records = fleet.jobs(host.name, become=access.choice()).list()
    except RemoteJobsError as exc:
        remedy = f"Look with `remotejobs list {host.name} -i {access.inventory}` for jids that end in {run}"
        return [JobEnd(host.name, "every job", f"{exc} {remedy}", open_end=True)]
    own = [record for record in records if record.jid.endswith(run)]
    left = [record for record in own if not record.finished or record.state is State.LOST]
    return [_end(fleet, host, replace(record.handle, label=record.label or record.jid), access) for record in left]


def user_on(host: AnyHost, access: Access) -> str:
    """The user that the job belongs to; "" for the one that logs in."""
    become = become_for(host, become=True if access.become else None, user=access.become_user or None)
    return become.user if become else ""


def became(record: Record) -> str:
    """`killed after 3.1s: its process tree is proven empty`"""
    after = f" after {duration(record.delta)}" if record.delta is not None else ""
    return f"{record.state}{after}: {record.msg}".removesuffix(": ")
