"""Calling off a migration: what changes data is ended with proof, what a rollback needs is not, and nothing is unlocked
that is not as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState

from remotejobs.errors import JobNotFound, RemoteJobsError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.locks import LockHeld
from remotejobs.model import Handle, State
from remotejobs.operations.migration import (
    HostStep,
    MigrationStep,
    ObservedState,
    ObservedStep,
    StepStatus,
    observed_from,
)
from remotejobs.operations.migration.observed import ABSENT
from remotejobs.operations.migration.rollback import ROLLING_BACK
from remotejobs.prefect.tasks.access import Access, command_line
from remotejobs.prefect.tasks.cancel.cancel import kill_jobs_of_subflows
from remotejobs.prefect.tasks.cancel.end_jobs import became, user_on
from remotejobs.prefect.tasks.cancel.report import CancelledJob, report_cancelled, speaking
from remotejobs.prefect.tasks.connections import host_names, host_of, jobs_on
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.migration.steps import migration_on
from remotejobs.prefect.tasks.runs.flow_runs import parameters_of

# A rollback that was killed counts as failed, and without what it needs none is started: these are left to their
# timeouts.
_ENDED = (MigrationStep.BEFORE, MigrationStep.MIGRATE, MigrationStep.VERIFY)


def call_off(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:  # noqa: ARG001 - a hook's words
    """Hook for on_cancellation: end migrate and verify wherever they run, and say what is true and what to do next."""
    given = parameters_of(flow, flow_run)
    run, access = str(flow_run.id), Access.model_validate(given["access"])
    if given.get("on_cancel") == "leave":
        report_cancelled(
            flow_run, [], line="Its steps go on, each until its timeout, as asked. Retry the run: it goes on"
        )
        return
    hosts = host_names(access, str(given["hosts"]))
    with speaking(flow_run), ThreadPoolExecutor(max_workers=access.forks) as pool:
        saved = kill_jobs_of_subflows(flow_run)
        left = list(pool.map(lambda host: _leave(host, access, run), hosts))
    observed = reduce(ObservedState.updated, (seen for seen, _ in left), ObservedState())
    kept = [] if observed.started or observed.unreachable else _unlock(hosts, access, run)
    report_cancelled(flow_run, [*saved, *(end for _, ends in left for end in ends)], line=next_step(observed, kept))


def next_step(observed: ObservedState, kept: Sequence[str] = ()) -> str:
    """What is true now, and what a person does next; `kept` says which locks could not be given back."""
    if observed.unreachable:
        unreachable = ", ".join(observed.unreachable)
        return f"{unreachable} could not be asked, and may be changed still. Retry the run when it can be reached"
    if not observed.started:
        locked = f"not every lock could be given back: {'; '.join(kept)}" if kept else "no host is locked by it"
        return f"Nothing was started on any host, and {locked}. Start a new run"
    started = ", ".join(
        host for host, step in observed.steps if step is MigrationStep.MIGRATE and observed.at(host, step).started
    )
    if not started and _any(observed, StepStatus.FAILED, MigrationStep.BEFORE):
        return (
            "No data were changed yet, and the hosts stay locked. Retry the run: it ends as Refused, and unlocks them"
        )
    if not started:
        return "No data were changed yet, and the hosts stay locked. Retry the run: it goes on where it was"
    locked = f"The data on {started} may be changed in part, and the hosts stay locked"
    if _any(observed, StepStatus.RUNNING, *ROLLING_BACK, MigrationStep.VERIFY_ROLLBACK):
        return f"{locked}. A rollback is under way and goes on. Retry the run: it sees it through on every host"
    if _any(observed, StepStatus.FAILED, *_ENDED):
        return f"{locked}. Retry the run: it rolls back every host where migrate began"
    return f"{locked}. Whatever began ended well or is lost. Retry the run: it goes on where it was"


def _any(observed: ObservedState, status: StepStatus, *steps: MigrationStep) -> bool:
    return any(seen.status is status for (_, step), seen in observed.steps.items() if step in steps)


def _leave(host: str, access: Access, run: str) -> tuple[ObservedState, list[CancelledJob]]:
    """End what is to be ended on one host, and check the rest. Returns how it stands, and what became of what ran."""
    try:
        jobs = jobs_on(access, host)
        found = {step: _leave_step(jobs, host, step, jid_for(step, run=run)) for step in MigrationStep}
    except RemoteJobsError as exc:
        handle = Handle(
            host=host,
            jid=jid_for(MigrationStep.MIGRATE, run=run),
            become_user=user_on(host_of(access, host), access),
        )
        words = f"{exc} End it with: {command_line('kill', handle, access)}"
        return ObservedState(unreachable={host: str(exc)}), [
            CancelledJob(host, MigrationStep.MIGRATE, words, open_end=True)
        ]
    steps = {HostStep(host, step): seen for step, (seen, _) in found.items()}
    return ObservedState(steps=steps), [end for _, end in found.values() if end]


def _leave_step(jobs: HostJobs, host: str, step: MigrationStep, jid: str) -> tuple[ObservedStep, CancelledJob | None]:
    try:
        record = jobs.record(jid)
    except JobNotFound:
        return ABSENT, None
    if step in _ENDED and record.state in (State.RUNNING, State.LOST):
        record = jobs.kill(jid)
        return observed_from(record), CancelledJob(host, step, became(record), open_end=bool(record.survivors))
    if record.state is State.RUNNING:
        return observed_from(record), CancelledJob(host, step, "it goes on, until its timeout at the latest")
    return observed_from(record), None


def _unlock(hosts: Sequence[str], access: Access, run: str) -> list[str]:
    """Give the locks of `run` back. Returns why some could not be."""
    kept = []
    for host in hosts:
        try:
            migration_on(access, host).lock.release(run)
        except LockHeld:
            continue  # of another run
        except RemoteJobsError as exc:
            kept.append(str(exc))
    return kept
