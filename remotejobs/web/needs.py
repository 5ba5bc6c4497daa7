"""What needs a person: one list of all kinds, with what to do about each. No host is asked here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from remotejobs.display.fold import folded
from remotejobs.display.row import message_of
from remotejobs.errors import RemoteJobsError, Unreachable
from remotejobs.jobs.summary import name_of
from remotejobs.model import Record
from remotejobs.operations.alerts import Overdue, alerts
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.flow_runs import FlowRun, FlowRuns, run_of
from remotejobs.text import number_of, one_line
from remotejobs.web.live_fleet import HostSeen
from remotejobs.web.run_watch import RunsSeen
from remotejobs.web.upkeep import HeldLock, Upkeep

CommandFor = Callable[..., str]  # of the words of a subcommand, a host, and what comes behind: the command line
AWAITED = 300.0  # seconds without contact that a reboot explains


@dataclass(frozen=True, slots=True)
class Need:
    """`remedy` is what to do, `command` the command line for it, `page` its page in Prefect's UI.

    With `calm` it is only information: nothing has to be done. `host` and `jid` name a job on the page.
    """

    kind: str
    text: str
    host: str = ""
    jid: str = ""
    remedy: str = ""
    command: str = ""
    page: str = ""
    calm: bool = False


def needs(
    hosts: Sequence[HostSeen], runs: RunsSeen, server: FlowRuns, upkeep: Upkeep, command: CommandFor
) -> list[Need]:
    """All of it, the most urgent kinds first."""
    records = [record for seen in hosts for record in seen.records]
    return [
        *(_approval(run, server) for run in runs.waiting),
        *(_unsettled(run, server) for run in runs.unsettled),
        *_left_running(records, runs, server, command),
        *_survived(records),
        *_alerts(records, hosts, server),
        *sorted((_lock(held, runs, server, command) for held in upkeep.locks), key=lambda need: need.calm),
        *(_backup(entry, command) for entry in upkeep.backups),
        *_not_asked(upkeep.errors, runs),
        *_no_server(records, server),
    ]


def _approval(run: FlowRun, server: FlowRuns) -> Need:
    said = one_line(run.message) or f"{run.state} since {run.since}"
    return Need("approval", f"{run.name}: {said}", page=server.page_of(run.id))


def _unsettled(run: FlowRun, server: FlowRuns) -> Need:
    remedy = "Nothing is proven of its hosts: read the run's report."
    text = f"{run.name}: {run.state}. {one_line(run.message)}"
    return Need("migration", text, remedy=remedy, page=server.page_of(run.id))


def _left_running(records: Iterable[Record], runs: RunsSeen, server: FlowRuns, command: CommandFor) -> Iterable[Need]:
    """Jobs whose run is over, and which still run."""
    for record in records:
        run = runs.runs.get(run_of(record.jid))
        if run and run.over and (not record.finished or record.still_runs):
            text = f"{name_of(record)} is {record.state}, and its run {run.name} is over: {run.state} since {run.since}"
            kill = command("kill", record.host, record.jid)
            yield Need("run is over", text, record.host, record.jid, command=kill, page=server.page_of(run.id))


def _survived(records: Iterable[Record]) -> Iterable[Need]:
    for record in records:
        if record.survivors:
            text = f"{name_of(record)} is {record.state}, and this outlived KILL: {one_line(record.survivors)}"
            yield Need("survivors", text, record.host, record.jid)


def _alerts(records: Sequence[Record], hosts: Sequence[HostSeen], server: FlowRuns) -> Iterable[Need]:
    away = {seen.host: seen.error for seen in hosts if seen.error and _needs_a_person(seen)}
    for alert in alerts(records, away, Overdue()):
        if alert.what != "not asked":
            yield Need(alert.what, alert.said, alert.host, alert.jid, page=server.page_of(run_of(alert.jid)))
    alike: dict[tuple[str, str, str], list[str]] = {}
    for host, error in away.items():
        alike.setdefault((wrong(error), one_line(message_of(host, error)), error.remedy), []).append(host)
    for (kind, text, remedy), names in alike.items():
        yield Need(kind, text, folded(names), remedy=remedy)


def _needs_a_person(seen: HostSeen) -> bool:
    """A host that may be rebooting is only shown to be away."""
    awaited = isinstance(seen.error, Unreachable) and seen.error.transient
    return not awaited or (seen.unreachable_for or 0.0) > AWAITED


def _lock(held: HeldLock, runs: RunsSeen, server: FlowRuns, command: CommandFor) -> Need:
    owner, run = held.holder.owner, runs.runs.get(held.holder.owner)
    goes_on = bool(held.jobs) or (run is not None and not run.over)
    words = f"its run is {run.state} since {run.since}" if run else "of its run nothing is known"
    jobs = f"{number_of(len(held.jobs), 'job')} of it running" if held.jobs else "no job of it running"
    text = f"locked by {one_line(held.holder.label) or owner} since {held.holder.since}: {words}, {jobs}"
    release = "" if goes_on else command("lock release", held.host, "--reason", "...")
    return Need("lock", text, held.host, command=release, page=server.page_of(run.id if run else ""), calm=goes_on)


def _backup(entry: CatalogueEntry, command: CommandFor) -> Need:
    why = entry.damaged or entry.problem or entry.untested
    text = f"the newest backup of {entry.item} is {entry.state}: {one_line(why) or 'it is not whole'}"
    return Need("backup", text, entry.host, command=command("backups list", entry.host, "--item", entry.item))


def _not_asked(errors: Mapping[str, str], runs: RunsSeen) -> Iterable[Need]:
    if runs.error:
        yield Need("Prefect", f"{one_line(runs.error)}; what is shown of runs may be old", remedy=_remedy(), calm=True)
    if errors:
        host, why = next(iter(errors.items()))
        text = f"locks and backups are not known of {number_of(len(errors), 'host')}; {host}: {one_line(why)}"
        yield Need("not known", text.replace(f"{host}: {host}: ", f"{host}: "), folded(errors), calm=True)


def _no_server(records: Iterable[Record], server: FlowRuns) -> Iterable[Need]:
    if not server.known and any(run_of(record.jid) for record in records):
        text = "jobs of flow runs are here, and nothing is known of the runs: nor whether one waits for an approval"
        yield Need("Prefect", text, remedy="Start remotejobs web with PREFECT_API_URL in its environment.", calm=True)


def _remedy() -> str:
    return "Check PREFECT_API_URL, and that the server runs."


def wrong(error: RemoteJobsError | None) -> str:
    """`unreachable` or `error`, as tables call it; "" where nothing is wrong."""
    return "" if error is None else "unreachable" if isinstance(error, Unreachable) else "error"
