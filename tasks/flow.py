"""Flows with jobs on hosts, ours and yours: `remote_flow` makes one, `run_jobs` does its work.

    @remote_flow("vacuum", run_name="vacuum {hosts}")
    def vacuum(access: Access, hosts: HostPattern, job: JobOptions = JobOptions(timeout=3600)) -> list[JobResult]:
        jobs = [(job.job("vacuumdb --all", label="vacuum"), host) for host in select_hosts(access, hosts)]
        return run_jobs(jobs, access, title=f"Vacuum on {hosts}")

Such a flow is resumed after its process died, cancelled with proof, and fails at the end, naming the hosts where a job
failed. It has no `retries`: a run that waits for its next try looks like one that was given to another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter, signature
from types import MappingProxyType
from typing import Annotated, Any, ParamSpec, TypeVar, overload

from prefect import Flow
from prefect.flows import FlowStateHook
from prefect.runtime import flow_run
from prefect.utilities.callables import parameter_schema
from pydantic import Field

from remotejobs.jobs import command_text
from remotejobs.model import Job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.cancel.cancel import kill_jobs
from remotejobs.prefect.tasks.connections import host_names
from remotejobs.prefect.tasks.dry_run import PlannedStep, would_run
from remotejobs.prefect.tasks.form import describe_parameters, form_of, groups_of
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.outcomes import FailedWhen
from remotejobs.prefect.tasks.jobs.reports import TableRow, key_of, row_of
from remotejobs.prefect.tasks.jobs.results import JobResult, or_warning, raise_for
from remotejobs.prefect.tasks.jobs.run_steps import run_steps
from remotejobs.prefect.tasks.jobs.until import FOR_AN_HOUR, Until
from remotejobs.prefect.tasks.limits import fork_slots
from remotejobs.prefect.tasks.notify import notify_block, notify_webhook
from remotejobs.prefect.tasks.outcome import failing_in_words
from remotejobs.prefect.tasks.recovery.takeover import exit_if_superseded
from remotejobs.prefect.tasks.runs.flow_runs import by_new_names, set_old_names
from remotejobs.prefect.tasks.runs.options import RunOptions, options_of_this_run
from remotejobs.prefect.tasks.runs.started import note_jobs
from remotejobs.prefect.tasks.shards.failures import publish_failed
from remotejobs.prefect.tasks.shards.halt import raise_if_halted
from remotejobs.prefect.tasks.shards.reports import publish_results
from remotejobs.prefect.tasks.shards.sharding import results_of_shards
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


class _RemoteFlow(Flow[P, R]):
    """A flow that takes its parameters by their old names too: deployments and runs that a server keeps have these.

    An error of ours ends its run with a state and a line of its log that say it in words.
    """

    def __init__(self, fn: Callable[P, R], *args: Any, **kwargs: Any) -> None:
        super().__init__(fn, *args, **kwargs)
        self.fn = failing_in_words(fn)
        self.__signature__ = form_of(fn)  # of which `prefect deploy` makes the form
        self.parameters = parameter_schema(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **by_new_names(self, kwargs))

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        groups = groups_of(self.fn)
        given = {name: value for name, value in parameters.items() if value is not None or name not in groups}
        return super().validate_parameters(by_new_names(self, given))


def remote_flow(
    name: str,
    *,
    run_name: str | Callable[[], str] = "",
    on_cancellation: Hook = kill_jobs,
    on_failure: Sequence[Hook] = (),
    renamed: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Make a function a flow: another process can resume it, a cancel ends its jobs, and its failure is reported.

    `run_name` is the name of its runs, with parameters in braces: `"vacuum {hosts}"`. `on_cancellation` replaces the
    hook that ends the jobs. The hooks of `on_failure` run before those that report a failure or a crash. `renamed`
    maps old names of parameters to new ones: both are accepted, and the old ones warn. `options` are those of Prefect's
    `flow`. The run form describes a parameter by the docstring, or else by the parameter's type.
    """

    def decorated(function: Callable[P, R]) -> Flow[P, R]:
        describe_parameters(function)
        if run_name:
            options["flow_run_name"] = run_name if callable(run_name) else lambda: _name_of(function, run_name)
        set_old_names(function, renamed)
        hooks: dict[str, Any] = {
            "on_running": [exit_if_superseded],
            "on_failure": [*on_failure, notify_webhook, notify_block],
            "on_crashed": [*on_failure, notify_webhook, notify_block],
            "on_cancellation": [on_cancellation],
        }
        return _RemoteFlow(function, name=name, **hooks, **options)

    return decorated


def select_hosts(access: Access, pattern: str) -> tuple[str, ...]:
    """The hosts that `pattern` names; in a shard, only the shard's own. Raises `PatternError` if there are none."""
    return options_of_this_run().shard.among(host_names(access, pattern))


@overload
def run_jobs(
    jobs: Iterable[tuple[Job, str] | JobStep],
    access: Access,
    until: Until = ...,
    run: RunOptions | None = ...,
    *,
    title: str,
    key: str = ...,
    known: Sequence[JobResult] = ...,
    failed_when: FailedWhen | None = ...,
) -> list[JobResult]: ...


@overload
def run_jobs(
    jobs: Iterable[tuple[Job, str] | JobStep],
    access: Access,
    until: Until = ...,
    run: RunOptions | None = ...,
    *,
    title: str,
    key: str = ...,
    known: Sequence[JobResult] = ...,
    failed_when: FailedWhen | None = ...,
    result: Callable[[JobResult], T],
    reported: Callable[[T], tuple[JobResult, TableRow]],
    then: Callable[[list[T]], list[T]] | None = ...,
) -> list[T]: ...


def run_jobs(
    jobs: Iterable[tuple[Job, str] | JobStep],
    access: Access,
    until: Until = FOR_AN_HOUR,
    run: RunOptions | None = None,
    *,
    title: str,
    key: str = "",
    known: Sequence[JobResult] = (),
    failed_when: FailedWhen | None = None,
    result: Callable[[JobResult], Any] | None = None,
    reported: Callable[[Any], tuple[JobResult, TableRow]] | None = None,
    then: Callable[[list[Any]], list[Any]] | None = None,
) -> list[Any]:
    """Run every job on its host, all at once, to its end; publish a table, and fail unless all succeeded.

    Each job comes with its host and is polled as `until` says, or is a `JobStep` with an `until` of its own. `run`
    holds the options of the flow; the default is those of the flow run under way. `title` is the heading of the table,
    `key` its name (by default the flow's). `known` are ends of what could not even be started. `failed_when` judges a
    command that ended by itself.

    Returns how each job ended, or what `result` makes of that; `then` may do more with all of these, once, where the
    jobs ran (in a shard: the shard does); `reported` then gives the end that counts, and its row.
    Where that has the state `warning`, a flow that returns the result ends as `Warning`, which names it.
    A dry run runs nothing and publishes the table `dry-run`; a flow that returns the result then ends as `DryRun`.
    Raises `HostsFailed`.
    """
    run = run or options_of_this_run()
    steps = [each if isinstance(each, JobStep) else JobStep(*each, until) for each in jobs]
    if run.dry_run:
        raise_for(known)
        return would_run([planned_of(step.job, step.host) for step in steps], access)
    note_jobs(access, [(step.job, step.host) for step in steps])
    result, reported = result or _same, reported or _row
    if run.shards.wanted:
        pairs = results_of_shards(steps, access, run.shards, lambda end: reported(result(end)))
        results = [result(end) for end, _ in pairs]
    else:
        with fork_slots(access):
            raise_if_halted(run.shard)
            ends = run_steps(
                steps,
                access,
                group=run.group,
                failed_when=failed_when,
                shards=run.shard.total or 1,
                on_failed=publish_failed if run.shard.of else None,
            )
        results = [result(end) for end in ends]
        results = then(results) if then else results
        pairs = [reported(each) for each in results]
    more = [result(end) for end in known]
    pairs += [reported(each) for each in more]
    publish_results(key or key_of(flow_run.flow_name or ""), title, pairs, run.shard)
    ends = [end for end, _ in pairs]
    raise_for(ends)
    return or_warning([*results, *more], ends)


def planned_of(job: Job, host: str, when: str = "") -> PlannedStep:
    """The line of a dry run for one job."""
    return PlannedStep(host=host, step=job.label or job.jid, cmd=job.cmd, timeout=job.timeout, when=when)


def _same(end: JobResult) -> JobResult:
    return end


def _row(end: JobResult) -> tuple[JobResult, TableRow]:
    return end, row_of(end)


def _name_of(function: Callable[..., Any], template: str) -> str:
    """The template, filled with the parameters of the run under way; a shard is called by its number of hosts."""
    known = signature(function).parameters.values()
    defaults = {each.name: each.default for each in known if each.default is not Parameter.empty}
    words = {name: shown(value) for name, value in {**defaults, **flow_run.parameters}.items()}
    shard = options_of_this_run().shard
    if shard.of:
        words["hosts"] = f"{number_of(len(shard.hosts), 'host')}: {shard}"
    return template.format(**words)


def shown(value: object) -> object:
    """A parameter as it stands in the name of a run: text on one line, and cut where it is long."""
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
