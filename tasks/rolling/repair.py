"""Putting right what a rolling update left that was cancelled, crashed or broke off."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from prefect import Flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.logging.loggers import flow_run_logger
from pydantic import ValidationError

from remotejobs.errors import RemoteJobsError
from remotejobs.operations.rolling import Update
from remotejobs.operations.rolling.repair import repair
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.cancel.report import KEY, attach
from remotejobs.prefect.tasks.connections import host_names
from remotejobs.prefect.tasks.rolling.managed_host import managed_host
from remotejobs.prefect.tasks.rolling.runs import origin_of
from remotejobs.text import visible

_SETTLED = {"Reverted", "Stopped"}  # the flow has put every host right itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a flow run of a rolling update was about, from its parameters."""

    access: Access
    update: Update
    update_id: str
    hosts: tuple[str, ...]


def left_by(run: FlowRun) -> Left:
    """Read the parameters of `run`. Raises `PatternError` when its hosts are not in the inventory any more."""
    access = Access.model_validate(run.parameters["access"])
    return Left(
        access=access,
        update=Update.model_validate(run.parameters["update"]),
        update_id=origin_of(run),
        hosts=host_names(access, str(run.parameters["hosts"])),
    )


@task(task_run_name="repair {host}", cache_policy=NO_CACHE)
def repair_host(host: str, left: Left) -> str:
    """Put one host right; returns in words what was done. `StaysOut` and other `HostError`s name what could not be."""
    logger = get_run_logger()
    done = _repair(host, left, logger.info)
    logger.info("%s: %s", host, done)
    return done


def put_right(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:  # noqa: ARG001 - a hook's words
    """Hook for on_cancellation and on_failure: repair every host, and log what was done and what stays out.

    A cancelled run also gets the line and the table of all cancelled runs.
    """
    if state.name in _SETTLED:
        return
    line, rows = _put_all_right(flow_run)
    if state.is_cancelling() or state.is_cancelled():
        attach(flow_run, line, rows)


def _put_all_right(flow_run: FlowRun) -> tuple[str, list[dict[str, str]]]:
    """What came of it, in a line and for each host."""
    logger = flow_run_logger(flow_run)
    try:
        left = left_by(flow_run)
    except (RemoteJobsError, ValidationError) as exc:
        logger.error("no host could be put right: %s", exc)
        return f"NO HOST WAS PUT RIGHT: {exc}", []

    def one(host: str) -> tuple[str, bool]:
        try:
            done = _repair(host, left, logger.info)
        except RemoteJobsError as exc:
            logger.error("%s", exc)
            return str(exc), False
        logger.info("%s: %s", host, done)
        return done, True

    with ThreadPoolExecutor(max_workers=left.access.forks) as pool:
        said = dict(zip(left.hosts, pool.map(one, left.hosts), strict=True))
    wrong = ", ".join(host for host, (_, right) in said.items() if not right)
    how = f"its table `{KEY}` says why. `make repair RUN={flow_run.id}` does it later"
    line = f"NOT PUT RIGHT: {wrong}; {how}" if wrong else "None of its jobs runs any more, and it keeps no host out"
    return line, [{"host": host, "reason": visible(words)} for host, (words, _) in said.items()]


def _repair(host: str, left: Left, report: Callable[[str], None]) -> str:
    managed = managed_host(host, left.access, left.update)
    return repair(
        managed.host, managed.jobs, managed.balancer, left.update, left.update_id, report, managed.check_health
    )
