"""The jobs that an update leaves on its hosts: notes and deployments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from remotejobs.errors import HostError, HostRefused, JobExists, ProtocolError
from remotejobs.jobs.wait import retry_while_unreachable, wait_until_ended
from remotejobs.model import Job, Record, State
from remotejobs.operations.rolling import Update
from remotejobs.operations.rolling.history import StepKind, UpdateHistory, UpdateStep, history_of
from remotejobs.operations.rolling.steps import HELD_PAUSE, DrainedHost
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.jobs.errors import JobFailed
from remotejobs.prefect.tasks.jobs.output import followed
from remotejobs.prefect.tasks.rolling.errors import LostContact
from remotejobs.prefect.tasks.rolling.managed_host import ManagedHost, managed_host

_NOTE = ": a rolling update takes this host out of its load balancer"


@dataclass(frozen=True, slots=True)
class Deployed:
    """The record of a deployment that succeeded, and how often the host had to be taken out again meanwhile."""

    record: Record
    again: int


def history(host: str, access: Access, update_id: str) -> UpdateHistory:
    """What the update did there. Raises `HostError`."""
    return history_of(jobs_on(access, host).list(), update_id)


@task(task_run_name="note on {host}", cache_policy=NO_CACHE)
def leave_note(step: UpdateStep, host: str, access: Access, update_id: str) -> None:
    """Leave word on `host` that this update takes it out, and which version ran there. Raises `HostError`."""
    jobs_on(access, host).start(Job(jid=step.jid(update_id), cmd=_NOTE, label=step.label))


@task(task_run_name="{step.kind} {step.target} on {host}", cache_policy=NO_CACHE)
def run_step(step: UpdateStep, host: str, access: Access, update: Update, update_id: str) -> Deployed:
    """Run the step's command detached, or attach to it, and wait for its end; its output comes into the log.

    The host is meanwhile kept out of the load balancer. Raises `JobFailed` when it ended badly, with no process left;
    `LostContact` when it is unknown whether it ended.
    """
    logger = get_run_logger()
    managed = managed_host(host, access, update)
    held = DrainedHost(managed.balancer, managed.host, logger.warning)
    jid = step.jid(update_id)
    record: Record | None = None

    def on_start(seen: Record) -> None:
        nonlocal record
        record = seen  # whatever comes of the rest of that exchange

    try:
        try:
            record = retry_while_unreachable(
                lambda: _found_or_started(managed, step, jid, on_start), contact_timeout=update.contact_timeout
            )
        except ProtocolError:
            if record is None:
                raise  # otherwise it was started, and is asked of again below

        def on_poll(seen: Record) -> None:
            if fresh := followed().fresh(seen.handle, seen):
                logger.info("%s", fresh)
            held.check_quietly()

        if not record.finished:
            on_poll(record)
            record = wait_until_ended(
                managed.jobs, jid, poll=HELD_PAUSE, on_poll=on_poll, contact_timeout=update.contact_timeout
            )
        if record.state is State.LOST:
            # Its supervisor is gone; what it left behind may still be at work on the host.
            record = retry_while_unreachable(lambda: managed.jobs.kill(jid), contact_timeout=update.contact_timeout)
    except HostError as exc:
        if record is None and isinstance(exc, HostRefused):
            raise  # so nothing was started
        raise LostContact(host, f"contact was lost during {step.kind} {step.target}: {exc.message}") from exc
    if fresh := followed().fresh(record.handle, record):
        logger.info("%s", fresh)
    if record.state is not State.SUCCEEDED:
        raise JobFailed(replace(record, label=f"{step.kind} {step.target}"))
    return Deployed(record, held.again)


def _found_or_started(managed: ManagedHost, step: UpdateStep, jid: str, on_start: Callable[[Record], None]) -> Record:
    """A step that is there is attached to whatever its command was: it may have been changed for a resumed update.

    One that is started is awaited for as long as one poll, in the same exchange.
    """
    try:
        return managed.jobs.start(_job(managed.update, step, jid), wait=HELD_PAUSE, on_start=on_start)
    except JobExists:
        return managed.jobs.record(jid)


def _job(update: Update, step: UpdateStep, jid: str) -> Job:
    reverting = step.kind is StepKind.REVERT
    return Job(
        jid=jid,
        cmd=(update.revert_command or update.deploy) if reverting else update.deploy,
        label=step.label,
        timeout=update.timeout,
        env={"VERSION": step.target, "PREVIOUS_VERSION": update.version if reverting else step.before},
    )
