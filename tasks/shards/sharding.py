"""A flow run that has its work done in shards: it begins them, waits, and reports how each host ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from prefect import get_run_logger
from prefect.client.orchestration import get_client

from remotejobs.connections.resource_limits import raise_resource_limits
from remotejobs.errors import JobNotFound, RemoteJobsError
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.reports import TableRow, publish_table
from remotejobs.prefect.tasks.jobs.results import JobResult, not_asked, result_as_found
from remotejobs.prefect.tasks.runs.shards import POOL, Shards
from remotejobs.prefect.tasks.shards.runs import ShardRun, begin_shards, workers_of
from remotejobs.prefect.tasks.shards.watch import ShardWatch, await_shards


def results_of_shards(
    steps: Sequence[JobStep], access: Access, shards: Shards, judged: Callable[[JobResult], tuple[JobResult, TableRow]]
) -> list[tuple[JobResult, TableRow]]:
    """How each of `steps` ended, and its row for the table, after other workers did them in shards.

    What a shard did not come to report (its worker died and it was not resumed, or it was cancelled) its hosts are
    asked; `judged` says what the flow makes of that.
    """
    hosts = list(dict.fromkeys(step.host for step in steps))
    with get_client(sync_client=True) as client:
        started = begin_shards(client, hosts, shards)
        if not workers_of(client):
            get_run_logger().warning("no worker of the pool %s is there: the shards wait for one", POOL)
        watch = await_shards(client, started, shards)
    known = {
        (result.host, result.step): (result.result, result.row)
        for report in watch.reports.values()
        for result in report
    }
    for result in _find_out([step for step in steps if (step.host, step.label) not in known], watch, access):
        known[result.host, result.step] = judged(result)
    results = [known[step.host, step.label] for step in steps]
    publish_table("shards", "Which worker did what", [_row(shard_run, results) for shard_run in watch.shards])
    return results


def _find_out(steps: Sequence[JobStep], watch: ShardWatch, access: Access) -> Iterable[JobResult]:
    shard_of = {host: shard_run for shard_run in watch.shards for host in shard_run.shard.hosts}
    started = [step for step in steps if shard_of[step.host].started]
    for step in steps:
        if not shard_of[step.host].started:
            yield _not_started(step, f"its shard was not started: {watch.halted or shard_of[step.host].ended}")
    raise_resource_limits(len({step.host for step in started}))
    with ThreadPoolExecutor(max_workers=access.forks) as pool:
        yield from pool.map(lambda step: _ask(step, shard_of[step.host], access), started)


def _not_started(step: JobStep, why: str) -> JobResult:
    return JobResult(host=step.host, step=step.label, state="not started", reason=why)


def _ask(step: JobStep, shard_run: ShardRun, access: Access) -> JobResult:
    """What the host says of the step, its shard having reported nothing."""
    try:
        found = result_as_found(jobs_on(access, step.host).record(step.job.jid), access)
    except JobNotFound:
        return _not_started(step, f"its shard ended before it began here: {shard_run.ended}")
    except RemoteJobsError as exc:
        found = not_asked(step.host, exc)
    # That it still runs is no success: nothing waits for it any more.
    succeeded = found.succeeded and found.over
    reason = found.reason or f"its host says so; its shard reported nothing: {shard_run.ended}"
    return replace(found, step=step.label, succeeded=succeeded, reason=reason)


def _row(shard_run: ShardRun, results: Sequence[tuple[JobResult, TableRow]]) -> TableRow:
    mine = [result for result, _ in results if result.host in shard_run.shard.hosts]
    return {
        "shard": shard_run.shard.number,
        "worker": shard_run.worker,
        "state": str(shard_run.run.state.name) if shard_run.run.state else "",
        "runs": shard_run.run.run_count or 0,
        "hosts": len(shard_run.shard.hosts),
        "not succeeded": sum(not result.succeeded for result in mine),
        "run": str(shard_run.run.id),
    }
