"""Cancelling a flow run: its jobs are ended on their hosts too, with proof, and one that is left is named."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState

from remotejobs.errors import RemoteJobsError
from remotejobs.prefect.tasks.access import Access, place_of
from remotejobs.prefect.tasks.cancel.end_jobs import Suspect, end_jobs_of
from remotejobs.prefect.tasks.cancel.report import CancelledJob, report_cancelled, speaking
from remotejobs.prefect.tasks.runs.flow_runs import subflows_of
from remotejobs.prefect.tasks.runs.options import options_given
from remotejobs.prefect.tasks.runs.started import StartedJobs, started_by
from remotejobs.prefect.tasks.shards.cancel import cancel_shards
from remotejobs.prefect.tasks.shards.runs import shard_of


def kill_jobs(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:  # noqa: ARG001 - a hook's words
    """Hook for on_cancellation: end every job of the run, and report what became of each.

    For one that could not be ended, the command line that does it later is reported.
    """
    options = options_given(flow, flow_run.parameters)
    shards = cancel_shards(flow_run)
    if options.on_cancel == "leave":
        line = f"Its jobs were left running, as asked; their jids end in {options.shard.of or flow_run.id}"
        report_cancelled(flow_run, shards, line=line)
    else:
        with speaking(flow_run):
            results = [*kill_jobs_of(flow_run.id, named=options.shard.of), *kill_jobs_of_subflows(flow_run)]
        report_cancelled(flow_run, [*shards, *results])


def kill_jobs_of_subflows(flow_run: FlowRun) -> list[CancelledJob]:
    """End the jobs of the subflows of `flow_run`."""
    # The jobs of its shards are its own.
    subflows = [run for run in subflows_of(flow_run) if shard_of(run).of != str(flow_run.id)]
    return [result for run in subflows for result in kill_jobs_of(run.id)]


def kill_jobs_of(run: UUID, *, named: str = "") -> list[CancelledJob]:
    """End the jobs of the flow run `run`, on every host where it may have started one.

    They are found there by their jids, which end in the run's id, or in `named`.
    """
    with get_client(sync_client=True) as client:
        entries = started_by(client, run)
    suspects: dict[Access, dict[str, Suspect]] = {}
    for entry in entries:
        _add(suspects.setdefault(entry.access, {}), entry, named or str(run))
    return [result for access, hosts in suspects.items() for result in _end_on(hosts, named or str(run), access)]


def _add(suspects: dict[str, Suspect], entry: StartedJobs, run: str) -> None:
    if own := {jid: label for jid, label in entry.labels.items() if jid.endswith(run)}:
        for host in entry.hosts:
            suspects.setdefault(host, {}).update(own)


def _end_on(suspects: dict[str, Suspect], run: str, access: Access) -> list[CancelledJob]:
    try:
        # Read and connected anew: this may run in a worker, which lives longer than an inventory stays the same.
        place_of.cache_clear()
        inventory = access.load().hosts
    except RemoteJobsError as exc:
        return [_not_asked(host, jobs, str(exc)) for host, jobs in suspects.items()]
    there = [(inventory[host], jobs) for host, jobs in suspects.items() if host in inventory]
    gone = [
        _not_asked(host, jobs, f"{host} is not in {access.where} any more")
        for host, jobs in suspects.items()
        if host not in inventory
    ]
    return [*end_jobs_of(there, run, access), *gone]


def _not_asked(host: str, jobs: Suspect, why: str) -> CancelledJob:
    jids = ", ".join(jobs)
    return CancelledJob(
        host, ", ".join(jobs.values()), f"{why}: it was not asked. Its jobs there are {jids}", open_end=True
    )
