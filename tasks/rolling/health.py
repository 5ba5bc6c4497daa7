"""Asking hosts of a rolling update for their health, from the controller."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from remotejobs.operations.rolling import Update
from remotejobs.operations.rolling.steps import DrainedHost, HealthResult, HealthStatus
from remotejobs.operations.rolling.steps import await_health as await_healthy
from remotejobs.operations.rolling.steps import soak as watch_soak
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.rolling.errors import SoakFailed
from remotejobs.prefect.tasks.rolling.managed_host import managed_host


@task(task_run_name="health of {host}", cache_policy=NO_CACHE)
def await_health(host: str, wanted: str, access: Access, update: Update, *, keep_out: bool = True) -> HealthResult:
    """Ask until `host` is healthy with version `wanted` ("" for any), or the deadline; the result says which.

    With `keep_out` it is meanwhile taken out of the load balancer again should it come back by itself.
    """
    logger = get_run_logger()
    managed = managed_host(host, access, update)
    held = DrainedHost(managed.balancer, managed.host, logger.warning)
    verdict = await_healthy(
        managed.check_health, update.health, wanted, held.check_quietly if keep_out else lambda: None
    )
    ready = verdict.condition is HealthStatus.READY
    if ready and verdict.flapping:
        logger.warning("%s: %s before it stayed healthy", host, verdict.flapping)
    (logger.info if ready else logger.error)(
        "%s is %s after %.1f s: %s", host, verdict.condition, verdict.seconds, verdict.why or verdict.version
    )
    return verdict


@task(task_run_name="soak {host}", cache_policy=NO_CACHE)
def soak(host: str, access: Access, update: Update, *, kept: bool = False) -> None:
    """Watch an updated canary under load; when it fails it is taken out, and `SoakFailed` says why.

    `kept`: it gets no requests, as it was found, so only its health is watched.

    Raises other `HostError` when the load balancer cannot be reached, or does not take it out.
    """
    get_run_logger().info("%s is watched for %g s", host, update.soak)
    managed = managed_host(host, access, update)
    if why := watch_soak(managed.check_health, managed.balancer, managed.host, update, kept=kept):
        managed.balancer.take_out(managed.host)
        raise SoakFailed(host, f"did not stay healthy: {why}")
