"""What is known of the jobs of many hosts at this moment, and what changed since the last poll."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from remotejobs.errors import RemoteJobsError, Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import HostResult
from remotejobs.jobs.summary import in_order, is_like, is_recent, now
from remotejobs.model import Record


@dataclass(frozen=True, slots=True)
class HostSnapshot:
    """The jobs of a host at one poll: their records, or why it could not be asked."""

    host: str
    records: tuple[Record, ...] = ()
    error: RemoteJobsError | None = None


# Polls a host again and again, and reports each time.
Polling = Callable[[HostJobs, Callable[[HostSnapshot], None]], None]


def host_snapshot_of(item: HostSnapshot | HostResult[None]) -> HostSnapshot:
    """What is known of a host by this: polling ends only where the host cannot be asked at all."""
    return item if isinstance(item, HostSnapshot) else HostSnapshot(item.host, error=item.error)


class Snapshot:
    """What the last poll of each host found, of the jobs that are like `jobs` and ended at most `since` seconds ago."""

    def __init__(self, hosts: Sequence[str], *, jobs: str, since: float) -> None:
        self._jobs = jobs
        self._since = since
        self._hosts: dict[str, HostSnapshot | None] = dict.fromkeys(hosts)
        self._at: dict[str, float] = {}
        self._unreachable_since: dict[str, float] = {}

    def take(self, seen: HostSnapshot) -> list[HostResult[Record]]:
        """Keep what a poll found; returns the jobs that are new or changed, and a host that became unreachable."""
        before = self._hosts[seen.host]
        if seen.error:
            self._unreachable_since.setdefault(seen.host, time.monotonic())
            # What was known of its jobs stands, beside the error, until the host says otherwise.
            self._hosts[seen.host] = HostSnapshot(seen.host, before.records if before else (), seen.error)
            return [] if before and before.error else [HostResult(seen.host, error=seen.error)]
        self._unreachable_since.pop(seen.host, None)
        chosen = tuple(record for record in seen.records if self._is_shown(record))
        self._hosts[seen.host], self._at[seen.host] = HostSnapshot(seen.host, chosen), time.monotonic()
        known = {record.jid: record.state for record in before.records} if before else {}
        return [
            HostResult(seen.host, value=record) for record in in_order(chosen) if known.get(record.jid) != record.state
        ]

    @property
    def records(self) -> list[Record]:
        """All jobs in order, with the time that they have run by now."""
        return in_order(map(self._aged, self.reported))

    @property
    def reported(self) -> Iterator[Record]:
        """All jobs as their hosts reported them, in no order: of thousands, putting them in order takes long."""
        return (record for host in self._hosts.values() if host for record in host.records)

    @property
    def unreachable(self) -> dict[str, RemoteJobsError]:
        """The hosts that could not be asked at the last poll."""
        return {name: host.error for name, host in self._hosts.items() if host and host.error}

    def unreachable_for(self, host: str) -> float | None:
        """For how many seconds it could not be asked; None where it could."""
        since = self._unreachable_since.get(host)
        return None if since is None else time.monotonic() - since

    def of(self, host: str) -> HostSnapshot | None:
        """What is known of one host; None before its first answer."""
        return self._hosts[host]

    @property
    def asked(self) -> bool:
        """Whether every host was asked."""
        return all(self._hosts.values())

    def ended(self, contact_timeout: float) -> bool:
        """Whether no job runs any more; a host that may answer again is waited for so many seconds."""
        return self.asked and all(record.finished for record in self.reported) and not self._awaited(contact_timeout)

    def _awaited(self, contact_timeout: float) -> bool:
        unreachable_long_enough = time.monotonic() - contact_timeout
        return any(
            isinstance(error, Unreachable)
            and error.transient
            and self._unreachable_since[host] > unreachable_long_enough
            for host, error in self.unreachable.items()
        )

    def _is_shown(self, record: Record) -> bool:
        return is_like(record, self._jobs) and is_recent(record, self._since, now())

    def _aged(self, record: Record) -> Record:
        if record.finished or record.delta is None:
            return record
        return replace(record, delta=record.delta + time.monotonic() - self._at[record.host])
