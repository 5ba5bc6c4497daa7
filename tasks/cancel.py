"""Cancelling a flow run: its jobs are ended on their hosts too, with proof, and none is left behind in silence."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.logging.loggers import flow_run_logger
from prefect.utilities.callables import get_parameter_defaults

from remotejobs.backup import BackupPlan
from remotejobs.backup.script import label_of
from remotejobs.become import become_for
from remotejobs.display.text import duration
from remotejobs.errors import NoSuchJob, RemoteJobsError
from remotejobs.fleet import Fleet
from remotejobs.inventory import Host, Inventory, PatternError, load_inventory
from remotejobs.model import Handle, Record
from tasks.access import Access
from tasks.backups import jid_of
from tasks.command_line import command_line
from tasks.jids import jid_for


def kill_jobs(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:  # noqa: ARG001 - a hook's words
    """Hook for on_cancellation: end every job of the run, and log of each what became of it.

    Of one that could not be ended the log has the command line that does it later.
    """
    logger = flow_run_logger(flow_run)
    given = get_parameter_defaults(flow.fn) | flow_run.parameters
    access = Access.model_validate(given["access"])
    # Read and connected anew: this may run in a worker, which lives longer than an inventory stays the same.
    inventory = load_inventory(Path(access.inventory))
    jobs = _jobs_of(given, str(flow_run.id), inventory)

    def kill(host: Host, handle: Handle) -> None:
        what = f"{handle.label} on {handle.host}"
        try:
            handle = replace(handle, become_user=_user_on(host, access))
            record = fleet.jobs(host.name, become=access.choice()).kill(handle.jid)
            (logger.error if record.survivors else logger.info)("%s: %s", what, _became(record))
        except NoSuchJob:
            logger.info("%s: it had not been started", what)
        except RemoteJobsError as exc:
            logger.error("%s MAY STILL RUN. %s End it with: %s", what, exc, command_line("kill", handle, access))

    with (
        Fleet((host for host, _ in jobs), forks=access.forks) as fleet,
        ThreadPoolExecutor(max_workers=access.forks) as pool,
    ):
        list(pool.map(kill, *zip(*jobs, strict=True)))


def _jobs_of(given: Mapping[str, Any], run: str, inventory: Inventory) -> list[tuple[Host, Handle]]:
    """The jobs that the flow run `run` may have started, told from its parameters alone."""
    if "plan" in given:
        plan = BackupPlan.model_validate(given["plan"])
        steps = [(item.hosts, label_of(item), jid_of(item, run=run)) for item in plan.items]
    else:
        label = str(given["label"])
        steps = [(str(given["hosts"]), label, jid_for(label, run=run))]
    return [
        (host, Handle(host=host.name, jid=jid, label=label))
        for pattern, label, jid in steps
        for host in _hosts_of(inventory, pattern)
    ]


def _hosts_of(inventory: Inventory, pattern: str) -> tuple[Host, ...]:
    """None for a pattern without hosts: nothing was started there, and the other items' jobs are to be ended."""
    try:
        return inventory.select(pattern)
    except PatternError:
        return ()


def _user_on(host: Host, access: Access) -> str:
    """The user that the job belongs to; "" for the one that logs in."""
    become = become_for(host, become=True if access.become else None, user=access.become_user or None)
    return become.user if become else ""


def _became(record: Record) -> str:
    after = f" after {duration(record.delta)}" if record.delta is not None else ""
    return f"{record.state}{after}: {record.msg}".removesuffix(": ")
