"""Restoring backups in a flow: what is found on each host, what a person is asked, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.runtime import flow_run
from prefect.states import Completed

from remotejobs.errors import JobNotFound, RemoteJobsError
from remotejobs.model import Job
from remotejobs.operations.backup import Restore, RestoreReport
from remotejobs.operations.backup.catalogue import CatalogueEntry, backups_on
from remotejobs.operations.backup.copies.bring import brought
from remotejobs.operations.backup.copies.fetch import fetchable
from remotejobs.operations.backup.copies.identity import identity_needed
from remotejobs.operations.backup.item.script import GRACE
from remotejobs.operations.backup.restore import (
    PlannedRestore,
    RestoreTarget,
    choose,
    restore_report_of,
    target_on,
    where_of,
)
from remotejobs.prefect.tasks.access import Access, secret_of
from remotejobs.prefect.tasks.approval import Approval, ask
from remotejobs.prefect.tasks.connections import fleet_with, jobs_on, shell_of
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.reports import TableRow, head_of, publish_table
from remotejobs.prefect.tasks.jobs.results import JobResult, raise_for, values_of
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.runs.started import note_jobs
from remotejobs.text import duration, in_markdown, number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """How the restore on one host ended, and its report when it left one."""

    result: JobResult
    report: RestoreReport | None = None


@task(task_run_name="find {restore.item} on {host}", cache_policy=NO_CACHE)
def find_backup(restore: Restore, host: str, access: Access, jid: str) -> PlannedRestore:
    """Choose the backup and check its target; changes nothing. Raises `HostError` (`NoSuchBackup`, ...)."""
    try:
        record = jobs_on(access, host).record(jid)
    except JobNotFound:
        shell = shell_of(access, host)
        entry = _found(restore, host, access)
        get_run_logger().info("%s on %s: %s, made %s ago", restore.item, host, entry.file, duration(entry.age))
        target = target_on(shell, restore, entry.kind)
        if target.sessions:
            used = f"{number_of(target.sessions, 'session')} on {host} use {restore.target}, which would be replaced"
            get_run_logger().warning(used)
        return PlannedRestore(host=host, entry=entry, target=target)
    return PlannedRestore(host=host, command=record.cmd)


def _found(restore: Restore, host: str, access: Access) -> CatalogueEntry:
    if restore.fetch:
        identity, fleet = _identity(restore), fleet_with(host, access)
        return fetchable(fleet, host, restore, identity=identity, become=access.choice())
    source = shell_of(access, restore.copy_on or host)
    entry = choose(source.host, backups_on(source, where_of(restore, host)), restore)
    if restore.copy_on:
        entry = replace(entry, of=restore.copy_of or host)
    if not restore.identity_block:
        identity_needed(entry, "")
    return entry


def _identity(restore: Restore) -> str:
    return secret_of(restore.identity_block) if restore.identity_block else ""


def find(access: Access, restore: Restore, hosts: Sequence[str]) -> list[PlannedRestore]:
    """What is found on each host. Raises `HostsFailed` when one has nothing to restore: then none is restored."""
    runs = {host: find_backup.submit(restore, host, access, jid_of(restore)) for host in hosts}
    found, results = values_of(f"find {restore.item}", runs)
    raise_for(results)
    return [found[host] for host in hosts]


@task(task_run_name="bring {copy.file} to {host}", cache_policy=NO_CACHE)
def bring_copy(restore: Restore, copy: CatalogueEntry, host: str, access: Access, jid: str) -> CatalogueEntry:
    """Bring a copy to the host, and open it there; run again, it goes on where it was."""
    fleet, become = fleet_with(host, access), access.choice()
    return brought(fleet, copy, host, restore, jid=jid, identity=_identity(restore), become=become)


def bring(access: Access, restore: Restore, found: Sequence[PlannedRestore]) -> list[PlannedRestore]:
    """The same, with copies that lie elsewhere brought to their hosts. Raises `HostsFailed`."""
    note_jobs(access, [(_bringing(restore), each.host) for each in found if each.entry and restore.from_copy])
    runs = {
        each.host: bring_copy.submit(restore, each.entry, each.host, access, jid_of(restore))
        for each in found
        if each.entry and restore.from_copy
    }
    came, results = values_of(f"bring {restore.item}", runs)
    raise_for(results)
    return [replace(each, entry=came[each.host], brought=True) if each.host in came else each for each in found]


def _bringing(restore: Restore) -> Job:
    """What a cancel knows of the jobs that fetch and open a copy: they are found by the end of its jid."""
    return Job(jid=jid_of(restore), cmd="true", label=f"bring {restore.item}")


def not_approved(approval: Approval, restore: Restore, found: Sequence[PlannedRestore]) -> str:
    """Why it is not done; "" if no approval is needed, or it was given. What is replaced always needs a yes."""
    new = [each for each in found if each.entry]
    needed = bool(new) and (approval.needed or any(each.replaces for each in new))
    return ask(approval.model_copy(update={"needed": needed}), question(restore, new))


def question(restore: Restore, found: Sequence[PlannedRestore]) -> str:
    """What a person is asked to approve, in markdown: which backup goes where, and what is replaced.

    Nothing in it changes by itself, as sessions do: another question would need another yes.
    """
    what = "database" if restore.database else "directory"
    lines = [f"Restore **{in_markdown(restore.item)}** to the {what} **{in_markdown(restore.target)}**:"]
    lines += [
        f"On **{in_markdown(each.host)}**: {in_markdown(_which(each.entry))}. {_there(each.target)}"
        for each in found
        if each.entry and each.target
    ]
    if restore.end_sessions:
        lines.append("Sessions of what is replaced are ended.")
    return "\n\n".join(lines)


def _which(entry: CatalogueEntry) -> str:
    where = "" if not entry.of else f"the copy on {entry.host}, " if entry.directory else "the copy that is fetched as "
    return f"{where}{entry.path}, {entry.size}, {entry.state}, sha256 {entry.sha256[:12] or 'not recorded'}"


def _there(target: RestoreTarget) -> str:
    if not target.exists:
        return "Nothing is there yet."
    return "What is there is **replaced**, and kept under another name."


def would_be_restored(restore: Restore, found: Sequence[PlannedRestore]) -> RunState[list[Restored]]:
    """Publish what would be restored where; a flow returns this state."""
    publish_table("restore", f"What would be restored to {restore.target}; nothing was changed", [*map(_plan, found)])
    message = f"{restore.item} would be restored on {number_of(len(found), 'host')}; see the table restore"
    return Completed(name="DryRun", message=message, data=[])


def _plan(found: PlannedRestore) -> TableRow:
    entry, target = found.entry, found.target
    if not (entry and target):
        return {"host": found.host, "backup": "started already"}
    return {
        "host": found.host,
        "backup": entry.file,
        "age": duration(entry.age),
        "size": entry.size,
        "state": entry.state,
        "record": "yes" if entry.record else "none",
        "target": "is replaced" if target.exists else "is new",
        "sessions": target.sessions,
    }


def steps_of_restore(restore: Restore, found: Sequence[PlannedRestore], poll: float) -> list[JobStep]:
    """The job on each host. What exists is replaced: that was approved, wherever something does."""
    until = Until.outlasting(2 * (restore.timeout + GRACE), delay=poll)
    jid = jid_of(restore)
    return [JobStep(each.job(restore, jid=jid, replace=True), each.host, until) for each in found]


def jid_of(restore: Restore) -> str:
    """The jid of the job of the flow run under way; the same on each host."""
    return jid_for("restore", restore.item)


def name_of_run() -> str:
    """restore orders to orders_test on db1"""
    given: Mapping[str, object] = flow_run.parameters
    restore = Restore.model_validate(given["restore"])
    return f"restore {restore.item} to {restore.target} on {given['hosts']}"


def restored_of(result: JobResult) -> Restored:
    """What a job restored. One that succeeded without saying so in full did not succeed."""
    if result.record is None or not result.succeeded:
        return Restored(result=result)
    try:
        return Restored(result=result, report=restore_report_of(result.record))
    except RemoteJobsError as exc:
        return Restored(result=replace(result, succeeded=False, state="error", reason=str(exc)))


def result_and_row(restored: Restored) -> tuple[JobResult, TableRow]:
    """How it ended, and its row of the table."""
    result, report = restored.result, restored.report
    return result, {
        **head_of(result, reported=report is not None),
        "item": result.step,
        "duration": duration(result.record.delta) if result.record else "",
        "target": report.target if report else "",
        "restored": report.counts if report else "",
        "kept from before": report.before if report else "",
    }
