"""Cancelling a flow run: its jobs are ended on their hosts too, with proof, and none is left behind in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.utilities.callables import get_parameter_defaults

from remotejobs.backup import BackupPlan
from remotejobs.backup.script import label_of
from remotejobs.inventory import Host, Inventory, PatternError, load_inventory
from remotejobs.model import Handle
from tasks.access import Access
from tasks.backups import jid_of
from tasks.cancel_report import JobEnd, report_ends, speaking
from tasks.end_jobs import end_jobs, end_jobs_found
from tasks.flow_runs import parts_of
from tasks.jids import jid_for
from tasks.shard_cancel import cancel_shards
from tasks.shard_runs import part_of
from tasks.shards import WHOLE, Part

OnCancel = Literal["kill", "leave"]


def kill_jobs(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:  # noqa: ARG001 - a hook's words
    """Hook for on_cancellation: end every job of the run, and tell of each what became of it.

    Of one that could not be ended it is told which command line does it later.
    """
    given = get_parameter_defaults(flow.fn) | flow_run.parameters
    shards = cancel_shards(flow_run)
    if given.get("on_cancel") == "leave":
        run = part_of(flow_run).of or flow_run.id
        report_ends(flow_run, shards, line=f"Its jobs were left running, as asked; their jids end in {run}")
    else:
        with speaking(flow_run):
            ends = [*kill_jobs_of(given, str(flow_run.id)), *kill_parts(flow_run)]
        report_ends(flow_run, [*shards, *ends])


def kill_parts(flow_run: FlowRun) -> list[JobEnd]:
    """End the jobs of the flows that were part of `flow_run`, wherever their parameters tell which these are."""
    # The jobs of its shards are its own.
    parts = [part for part in parts_of(flow_run) if part_of(part).of != str(flow_run.id)]
    return [end for part in parts for end in kill_jobs_of(part.parameters, str(part.id))]


def kill_jobs_of(given: Mapping[str, Any], run: str) -> list[JobEnd]:
    """End the jobs that the flow run `run` may have started, told from its parameters alone."""
    if "access" not in given:
        return []
    access = Access.model_validate(given["access"])
    # Read and connected anew: this may run in a worker, which lives longer than an inventory stays the same.
    inventory = load_inventory(Path(access.inventory))
    part = Part.model_validate(given.get("part", WHOLE))
    run = part.of or run
    if "plan" in given:
        plan = BackupPlan.model_validate(given["plan"])
        items = [(item.hosts, label_of(item), jid_of(item, run=run)) for item in plan.items]
        return _end_steps(inventory, items, access, part)
    pattern = ":".join(given["hosts"]) if isinstance(given["hosts"], list) else str(given["hosts"])
    if "label" in given:
        label = str(given["label"])
        return _end_steps(inventory, [(pattern, label, jid_for(label, run=run))], access, part)
    try:
        return end_jobs_found(_select(inventory, pattern, part), run, access)
    except PatternError as exc:
        return [_not_asked(pattern, "every job", f"whose jid ends in {run}", exc)]


def _end_steps(inventory: Inventory, steps: Iterable[tuple[str, str, str]], access: Access, part: Part) -> list[JobEnd]:
    """`steps` are pattern, label and jid. One whose pattern means no host any more keeps no other from being ended."""
    jobs: list[tuple[Host, Handle]] = []
    not_asked: list[JobEnd] = []
    for pattern, label, jid in steps:
        try:
            jobs += [(host, Handle(host=host.name, jid=jid, label=label)) for host in _select(inventory, pattern, part)]
        except PatternError as exc:
            not_asked.append(_not_asked(pattern, label, jid, exc))
    return [*end_jobs(jobs, access), *not_asked]


def _select(inventory: Inventory, pattern: str, part: Part) -> list[Host]:
    hosts = inventory.select(pattern)
    mine = set(part.among(host.name for host in hosts))
    return [host for host in hosts if host.name in mine]


def _not_asked(pattern: str, label: str, jid: str, error: PatternError) -> JobEnd:
    """The inventory may have meant hosts by `pattern` when the run began."""
    words = f"{error.message}: no host was asked. Where it began before that, it is the job {jid}"
    return JobEnd(pattern, label, words, open_end=True)
