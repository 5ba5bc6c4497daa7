"""Calling off a migration: what changes data is ended with proof, what a rollback needs is not, and nothing is unlocked
that is not as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.utilities.callables import get_parameter_defaults

from remotejobs.errors import NoSuchJob, RemoteJobsError
from remotejobs.jobs import HostJobs
from remotejobs.locks import LockHeld
from remotejobs.migration import Seen, Standing, Step, seen_of
from remotejobs.migration.sight import ABSENT
from remotejobs.model import Handle, State
from tasks.access import Access
from tasks.cancel import kill_parts
from tasks.cancel_report import JobEnd, report_ends
from tasks.command_line import command_line
from tasks.connections import connections, host_names, jobs_on
from tasks.end_jobs import became, user_on
from tasks.jids import jid_for
from tasks.migration_steps import migration_on

# A rollback that was killed counts as failed, and without what it needs none is begun: these are left to their limits.
_ENDED = (Step.MIGRATE, Step.VERIFY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How a host was left: its steps as they stand now, what became of those that ran, and why it is not known."""

    host: str
    steps: Mapping[Step, Seen] = field(default_factory=dict)
    ends: tuple[JobEnd, ...] = ()
    silent: bool = False

    @property
    def begun(self) -> bool:
        return any(seen.standing.begun for seen in self.steps.values())

    def any(self, standing: Standing, *steps: Step) -> bool:
        return any(seen.standing is standing for step, seen in self.steps.items() if step in steps)


def call_off(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:  # noqa: ARG001 - a hook's words
    """Hook for on_cancellation: end migrate and verify wherever they run, and say what is true and what to do next."""
    given = get_parameter_defaults(flow.fn) | flow_run.parameters
    run, access = str(flow_run.id), Access.model_validate(given["access"])
    if given.get("on_cancel") == "leave":
        report_ends(flow_run, [], line="Its steps go on, each until its limit, as asked. Retry the run: it goes on")
        return
    saved = kill_parts(flow_run)
    hosts = host_names(access, str(given["hosts"]))
    with ThreadPoolExecutor(max_workers=access.forks) as pool:
        left = list(pool.map(lambda host: _leave(host, access, run), hosts))
    ends = [*saved, *(end for each in left for end in each.ends)]
    report_ends(flow_run, ends, line=_next(left, access, run))


def _leave(host: str, access: Access, run: str) -> Left:
    """End what is to be ended on one host, and look at the rest."""
    try:
        jobs = jobs_on(access, host)
        found = {step: _leave_step(jobs, host, step, jid_for(step, run=run)) for step in Step}
    except RemoteJobsError as exc:
        handle = Handle(
            host=host,
            jid=jid_for(Step.MIGRATE, run=run),
            become_user=user_on(connections().fleet(access).hosts[host], access),
        )
        words = f"{exc} End it with: {command_line('kill', handle, access)}"
        return Left(host=host, ends=(JobEnd(host, Step.MIGRATE, words, open_end=True),), silent=True)
    return Left(
        host=host,
        steps={step: seen for step, (seen, _) in found.items()},
        ends=tuple(end for _, end in found.values() if end),
    )


def _leave_step(jobs: HostJobs, host: str, step: Step, jid: str) -> tuple[Seen, JobEnd | None]:
    try:
        record = jobs.look(jid)
    except NoSuchJob:
        return ABSENT, None
    if step in _ENDED and record.state in (State.RUNNING, State.LOST):
        record = jobs.kill(jid)
        return seen_of(record), JobEnd(host, step, became(record), open_end=bool(record.survivors))
    if record.state is State.RUNNING:
        return seen_of(record), JobEnd(host, step, "it goes on, until its limit at the latest")
    return seen_of(record), None


def _next(left: Sequence[Left], access: Access, run: str) -> str:
    """What is true now, and what a person does next."""
    if silent := [each.host for each in left if each.silent]:
        return f"{', '.join(silent)} could not be asked, and may be changed still. Retry the run when it can be reached"
    if not any(each.begun for each in left):
        return _unlocked([each.host for each in left], access, run)
    begun = ", ".join(each.host for each in left if each.steps[Step.MIGRATE].standing.begun)
    locked = f"The data on {begun} are in between, and the hosts stay locked"
    if any(each.any(Standing.RUNNING, Step.ROLLBACK, Step.VERIFY_ROLLBACK) for each in left):
        return f"{locked}. A rollback is under way and goes on. Retry the run: it sees it through on every host"
    if any(each.any(Standing.BADLY, *_ENDED) for each in left):
        return f"{locked}. Retry the run: it rolls back every host where migrate began"
    return f"{locked}. Whatever began ended well or is lost. Retry the run: it goes on where it was"


def _unlocked(hosts: Sequence[str], access: Access, run: str) -> str:
    kept = []
    for host in hosts:
        try:
            migration_on(access, host).lock.release(run)
        except LockHeld:
            continue  # somebody else's
        except RemoteJobsError as exc:
            kept.append(str(exc))
    still = f", but the lock could not be given back: {'; '.join(kept)}" if kept else ""
    return f"Nothing was begun on any host, and no host is locked by it{still}. Start a new run"
