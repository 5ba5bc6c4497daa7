"""Services in the background: started once, verified with Prefect's retries, checked later, stopped with proof."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import TaskRun
from prefect.tasks import Task
from pydantic import BaseModel, ConfigDict, Field

from remotejobs.errors import RemoteJobsError
from remotejobs.model import Handle, Record
from remotejobs.operations.service import Service, check_service_once, goes_on, jid_to_start, latest
from remotejobs.prefect.tasks.access import Access, command_line
from remotejobs.prefect.tasks.connections import host_of, jobs_of, jobs_on, shell_of
from remotejobs.prefect.tasks.jobs.errors import JobFailed
from remotejobs.prefect.tasks.jobs.outcomes import is_unreachable
from remotejobs.prefect.tasks.jobs.reports import TableRow
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.text import duration


class NotUp(RemoteJobsError):
    """`remotejobs log` shows what it wrote."""


class Verification(BaseModel):
    """How often to check whether a service is up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    retries: int = Field(default=30, ge=0, description="How often to poll again after the first time.")
    delay: float = Field(default=2, gt=0, description="Seconds between two polls.")


A_MINUTE = Verification()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResult:
    """How a service is on one host: its job, None where it was never started, and why it is not as was wanted."""

    host: str
    record: Record | None
    why: str = ""


@task(task_run_name="start {service.name} on {host}", cache_policy=NO_CACHE)
def start_service(service: Service, host: str, access: Access) -> Handle:
    """Start the service, or find that it runs. Raises `JobExists` when it runs with another command or settings."""
    jobs = jobs_on(access, host)
    record = jobs.start(service.job(jid_to_start(service.name, jobs.list())))
    what = "runs already" if record.attached else "started"
    get_run_logger().info("%s on %s %s: pid %s, job %s", service.name, host, what, record.pid, record.jid)
    return replace(record.handle, label=service.name)


def verify_until(verification: Verification) -> Task[..., ServiceResult]:
    """The task that verifies a service: `verify_until(verification).submit(service, handle, access)`.

    One attempt checks once, and Prefect's retries make that a wait: `NotUp` is tried again, and `Unreachable`. One that
    has ended is not waited for: `JobFailed`, with its last lines.
    """

    @task(
        task_run_name="verify {service.name} on {handle.host}",
        retries=verification.retries,
        retry_delay_seconds=verification.delay,
        retry_condition_fn=_not_yet,
        cache_policy=NO_CACHE,
    )
    def verify_service(service: Service, handle: Handle, access: Access) -> ServiceResult:
        """Check port and URL once, and then whether the very job runs: the port could be another's."""
        condition = check_service_once(service, host_of(access, handle.host), shell_of(access, handle.host))
        record = jobs_of(access, handle).record(handle.jid)
        if record.finished:
            raise JobFailed(replace(record, label=service.name), command_line("log", handle, access))
        if not condition.up:
            raise NotUp(f"{service.name} on {handle.host}: {condition.why}")
        return ServiceResult(host=handle.host, record=record)

    return verify_service


@task(task_run_name="check {service.name} on {host}", cache_policy=NO_CACHE)
def check_service(service: Service, host: str, access: Access) -> ServiceResult:
    """How the service is now. Raises `HostError`."""
    newest = latest(service.name, jobs_on(access, host).list())
    if newest is None:
        return ServiceResult(host=host, record=None, why="it was never started")
    if newest.finished:
        return ServiceResult(host=host, record=newest, why=f"{newest.state} {newest.cause} {newest.msg}".strip())
    condition = check_service_once(service, host_of(access, host), shell_of(access, host))
    return ServiceResult(host=host, record=newest, why=condition.why)


@task(task_run_name="stop {service.name} on {host}", cache_policy=NO_CACHE)
def stop_service(service: Service, host: str, access: Access) -> ServiceResult:
    """End the service and all its processes, with proof; that it does not run is fine. Raises `HostError`."""
    jobs = jobs_on(access, host)
    newest = latest(service.name, jobs.list())
    if newest is None or not goes_on(newest):
        get_run_logger().info("%s did not run on %s", service.name, host)
        return ServiceResult(host=host, record=newest)
    record = jobs.kill(newest.jid)
    get_run_logger().info("%s on %s: %s", service.name, host, record.msg)
    return ServiceResult(host=host, record=record, why=record.msg if record.survivors else "")


def result_of_service(name: str, found: ServiceResult) -> JobResult:
    """Whether the service is as was wanted, for `raise_for`."""
    state = found.record.state if found.record else "absent"
    return JobResult(
        host=found.host, step=name, state=state, succeeded=not found.why, record=found.record, reason=found.why
    )


def service_row(found: ServiceResult) -> TableRow:
    """One row of the table of services."""
    record = found.record
    return {
        "host": found.host,
        "state": str(record.state) if record else "absent",
        "reason": found.why or (record.msg if record else ""),
        "pid": (record.pid or "") if record else "",
        "since": record.start if record else "",
        "for": duration(record.delta) if record else "",
        "job": record.jid if record else "",
    }


def _not_yet(_task: Task[Any, Any], _run: TaskRun, state: RunState[Any]) -> bool:
    return isinstance(state.data, NotUp) or is_unreachable(state.data)
