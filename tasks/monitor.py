"""The jobs of many hosts at one glance: found wherever they were started from, and what is new reported once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort
from pydantic import TypeAdapter

from remotejobs.agent.request import Read
from remotejobs.errors import RemoteJobsError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.summary import is_like
from remotejobs.model import Record
from remotejobs.operations.alerts import Alert
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections
from remotejobs.prefect.tasks.jobs.output import LOG_BYTES
from remotejobs.prefect.tasks.jobs.reports import TableRow, key_of, publish_table
from remotejobs.text import duration, number_of, one_line

_AT_ONCE = 50  # jobs whose output is asked for in one exchange
_ALERTS = TypeAdapter(list[Alert])


class Alarm(RemoteJobsError):
    """Jobs were lost or take too long, or hosts could not be asked, and no notification was sent before."""

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="")


@dataclass(frozen=True, slots=True)
class Survey:
    """The jobs that were found, and the hosts that could not be asked."""

    records: tuple[Record, ...]
    unreachable: dict[str, RemoteJobsError] = field(default_factory=dict)


@task(task_run_name="check the jobs on {hosts}", cache_policy=NO_CACHE)
def survey(access: Access, hosts: str, jobs: str = "*", output: bool = False) -> Survey:
    """The jobs on every host of a pattern whose label or jid is like `jobs`; with the end of their output if wanted.

    One task run for all hosts, as it is made every few minutes. Raises `PatternError`, and nothing for an unreachable
    host.
    """
    records: list[Record] = []
    unreachable: dict[str, RemoteJobsError] = {}
    selected = connections().inventory(access).select(hosts)
    connect = connections().connect
    with Fleet(access.reach(selected), forks=access.forks, become=access.choice(), connect=connect) as fleet:
        for outcome in fleet.each(lambda there: _jobs(there, jobs, output), waits=False):
            records += outcome.value or ()
            if outcome.error:
                unreachable[outcome.host] = outcome.error
    return Survey(tuple(records), unreachable)


def publish_alerts(found: Sequence[Alert], seen: Survey, access: Access, hosts: str) -> list[Alert]:
    """Publish the alerts as a table, and return those that the last such table did not have.

    What it had of a host that is unreachable now stands on, so that it is not reported anew when the host is back.
    """
    key = key_of("fleet-alerts", access.name, hosts)
    alerted = _last_table(key)
    known = {_same(alert) for alert in alerted}
    new = [alert for alert in found if _same(alert) not in known]
    standing = [alert for alert in alerted if alert.host in seen.unreachable and alert.what != "not asked"]
    title = f"{number_of(len(found), 'alert')} on {hosts}, {len(new)} of them new"
    publish_table(key, title, [{**asdict(alert)} for alert in (*found, *standing)])
    return new


def raise_for_alerts(new: Sequence[Alert]) -> None:
    """Raise `Alarm` when there are any."""
    if new:
        lines = [f"{alert.what} on {alert.host}: {alert.said} {alert.jid}".rstrip() for alert in new]
        raise Alarm("\n".join([number_of(len(new), "new alert"), *lines]))


def seen_row(record: Record) -> TableRow:
    """One row of the table of a fleet's jobs."""
    return {
        "host": record.host,
        "state": record.state,
        "reason": one_line(record.msg),
        "label": one_line(record.label),
        "for": duration(record.delta),
        "rc": "" if record.rc is None else record.rc,
        "start": record.start,
        "jid": record.jid,
    }


def _jobs(there: HostJobs, jobs: str, output: bool) -> tuple[Record, ...]:
    found = tuple(record for record in there.list() if is_like(record, jobs))
    if not output:
        return found
    reads = [Read(record.jid, max_bytes=LOG_BYTES) for record in found]
    parts = [reads[at : at + _AT_ONCE] for at in range(0, len(reads), _AT_ONCE)]
    return tuple(record for part in parts for record in there.status(part))


def _last_table(key: str) -> list[Alert]:
    mine = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    with get_client(sync_client=True) as client:
        last = client.read_artifacts(artifact_filter=mine, sort=ArtifactSort.CREATED_DESC, limit=1)
    return _ALERTS.validate_json(str(last[0].data)) if last else []


def _same(alert: Alert) -> tuple[str, str, str]:
    return alert.what, alert.host, alert.jid
