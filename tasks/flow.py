"""Flows with jobs on hosts, ours and yours: `remote_flow` makes one, `run_jobs` does its work.

    @remote_flow("vacuum", run_name="vacuum {hosts}")
    def vacuum(access: Access, hosts: HostPattern, job: JobOptions = JobOptions(limit=3600)) -> list[End]:
        jobs = [(job.job("vacuumdb --all", label="vacuum"), host) for host in select_hosts(access, hosts)]
        return run_jobs(jobs, access, title=f"Vacuum on {hosts}")

Such a flow is resumed after its process died, cancelled with proof, and fails at the end, naming the hosts where a job
failed. It has no `retries`: a run that waits for its next try looks like one that was given to another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import Parameter, signature
from typing import Annotated, Any, ParamSpec, TypeVar, overload

from prefect import Flow, flow
from prefect.flows import FlowStateHook
from prefect.runtime import flow_run
from pydantic import Field

from remotejobs.jobs import command_text
from remotejobs.model import Job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.cancel.cancel import kill_jobs
from remotejobs.prefect.tasks.connections import host_names
from remotejobs.prefect.tasks.dry_run import Planned, would_run
from remotejobs.prefect.tasks.form import describe_parameters
from remotejobs.prefect.tasks.jobs.ends import End, raise_for
from remotejobs.prefect.tasks.jobs.host_group import Step
from remotejobs.prefect.tasks.jobs.look_after import look_after
from remotejobs.prefect.tasks.jobs.reports import Row, key_of, row_of
from remotejobs.prefect.tasks.jobs.until import FOR_AN_HOUR, Until
from remotejobs.prefect.tasks.jobs.verdict import FailedWhen
from remotejobs.prefect.tasks.jobs.warned import or_warning
from remotejobs.prefect.tasks.limits import share_of_forks
from remotejobs.prefect.tasks.notify import tell_block, tell_webhook
from remotejobs.prefect.tasks.recovery.fence import end_when_unwanted
from remotejobs.prefect.tasks.runs.options import RunOptions, options_of_this_run
from remotejobs.prefect.tasks.runs.started import note_jobs
from remotejobs.prefect.tasks.shards.failures import publish_failed
from remotejobs.prefect.tasks.shards.reports import publish_ends
from remotejobs.prefect.tasks.shards.sharding import ends_in_shards
from remotejobs.prefect.tasks.shards.stop import may_begin
from remotejobs.text import number_of, one_line

_SHOWN = 60  # characters of a parameter in the name of a run

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Hook = FlowStateHook[..., Any]

HostPattern = Annotated[
    str, Field(min_length=1, description="Hosts, as a pattern: all, web*, databases, web:!web3; in this order.")
]
Command = Annotated[
    command_text.Command,
    Field(
        min_length=1,
        description="Shell command, of one or more lines. It runs detached: no lost connection ends it.",
    ),
]
Label = Annotated[str, Field(min_length=1, description="What it is called in names of task runs, tables and messages.")]


def remote_flow(
    name: str,
    *,
    run_name: str | Callable[[], str] = "",
    on_cancellation: Hook = kill_jobs,
    on_failure: Sequence[Hook] = (),
    **options: Any,
) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Make a function a flow: another process can resume it, a cancel ends its jobs, and its failure is reported.

    `run_name` is the name of its runs, with parameters in braces: `"vacuum {hosts}"`. `on_cancellation` replaces the
    hook that ends the jobs. The hooks of `on_failure` run before those that report a failure or a crash. `options` are
    those of Prefect's `flow`. The run form describes a parameter by the docstring, or else by the parameter's type.
    """

    def decorated(function: Callable[P, R]) -> Flow[P, R]:
        describe_parameters(function)
        if run_name:
            options["flow_run_name"] = run_name if callable(run_name) else lambda: _name_of(function, run_name)
        return flow(
            name=name,
            on_running=[end_when_unwanted],
            on_failure=[*on_failure, tell_webhook, tell_block],
            on_crashed=[*on_failure, tell_webhook, tell_block],
            on_cancellation=[on_cancellation],
            **options,
        )(function)

    return decorated


def select_hosts(access: Access, pattern: str) -> tuple[str, ...]:
    """The hosts that `pattern` names; in a shard, only the shard's own. Raises `PatternError` if there are none."""
    return options_of_this_run().part.among(host_names(access, pattern))


@overload
def run_jobs(
    jobs: Iterable[tuple[Job, str] | Step],
    access: Access,
    until: Until = ...,
    run: RunOptions | None = ...,
    *,
    title: str,
    key: str = ...,
    known: Sequence[End] = ...,
    failed_when: FailedWhen | None = ...,
) -> list[End]: ...


@overload
def run_jobs(
    jobs: Iterable[tuple[Job, str] | Step],
    access: Access,
    until: Until = ...,
    run: RunOptions | None = ...,
    *,
    title: str,
    key: str = ...,
    known: Sequence[End] = ...,
    failed_when: FailedWhen | None = ...,
    result: Callable[[End], T],
    told: Callable[[T], tuple[End, Row]],
) -> list[T]: ...


def run_jobs(
    jobs: Iterable[tuple[Job, str] | Step],
    access: Access,
    until: Until = FOR_AN_HOUR,
    run: RunOptions | None = None,
    *,
    title: str,
    key: str = "",
    known: Sequence[End] = (),
    failed_when: FailedWhen | None = None,
    result: Callable[[End], Any] | None = None,
    told: Callable[[Any], tuple[End, Row]] | None = None,
) -> list[Any]:
    """Run every job on its host, all at once, to its end; publish a table, and fail unless all succeeded.

    Each job comes with its host and is polled as `until` says, or is a `Step` with an `until` of its own. `run` holds
    the options of the flow; the default is those of the flow run under way. `title` is the heading of the table, `key`
    its name (by default the flow's). `known` are ends of what could not even be started. `failed_when` judges a command
    that ended by itself.

    Returns how each job ended, or what `result` makes of that; `told` then gives the end that counts, and its row.
    Where that has the state `warning`, a flow that returns the result ends as `Warning`, which names it.
    A dry run runs nothing and publishes the table `dry-run`; a flow that returns the result then ends as `DryRun`.
    Raises `HostsFailed`.
    """
    run = run or options_of_this_run()
    steps = [each if isinstance(each, Step) else Step(*each, until) for each in jobs]
    if run.dry_run:
        raise_for(known)
        return would_run([planned_of(step.job, step.host) for step in steps], access)
    note_jobs(access, [(step.job, step.host) for step in steps])
    result, told = result or _same, told or _row
    if run.shards.wanted:
        pairs = ends_in_shards(steps, access, run.shards, lambda end: told(result(end)))
        results = [result(end) for end, _ in pairs]
    else:
        with share_of_forks(access):
            may_begin(run.part)
            ends = look_after(
                steps,
                access,
                group=run.group,
                failed_when=failed_when,
                shards=run.part.total or 1,
                on_failed=publish_failed if run.part.of else None,
            )
        results = [result(end) for end in ends]
        pairs = [told(each) for each in results]
    more = [result(end) for end in known]
    pairs += [told(each) for each in more]
    publish_ends(key or key_of(flow_run.flow_name or ""), title, pairs, run.part)
    ends = [end for end, _ in pairs]
    raise_for(ends)
    return or_warning([*results, *more], ends)


def planned_of(job: Job, host: str, when: str = "") -> Planned:
    """The line of a dry run for one job."""
    return Planned(host=host, step=job.label or job.jid, cmd=job.cmd, limit=job.limit, when=when)


def _same(end: End) -> End:
    return end


def _row(end: End) -> tuple[End, Row]:
    return end, row_of(end)


def _name_of(function: Callable[..., Any], template: str) -> str:
    """The template, filled with the parameters of the run under way; a shard is called by its number of hosts."""
    known = signature(function).parameters.values()
    defaults = {each.name: each.default for each in known if each.default is not Parameter.empty}
    words = {name: _shown(value) for name, value in {**defaults, **flow_run.parameters}.items()}
    part = options_of_this_run().part
    if part.of:
        words["hosts"] = f"{number_of(len(part.hosts), 'host')}: {part}"
    return template.format(**words)


def _shown(value: object) -> object:
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
