"""Keep a service running in the background of hosts without an init system: start and verify it, check it, stop it."""

from __future__ import annotations

from typing import Literal

from remotejobs.operations.service import Service
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, select_hosts
from remotejobs.prefect.tasks.jobs.reports import after_failures, publish_table, worst_first
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.services import (
    A_MINUTE,
    ServiceResult,
    Verification,
    check_service,
    result_of_service,
    service_row,
    start_service,
    stop_service,
    verify_until,
)


@remote_flow("service", run_name="{action} service on {hosts}", renamed={"patience": "verify"})
def service(
    access: Access,
    hosts: HostPattern,
    service: Service,
    action: Literal["start", "check", "stop"] = "start",
    verify: Verification = A_MINUTE,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[ServiceResult]:
    """Start a service on every host and see it come up, check that it is up, or stop it; fail, naming the hosts.

    One that is started and does not come up is left running, to be examined; the next start attaches to it.

    Args:
        hosts: Hosts it runs on, as a pattern: all, web*.
        service: What it is called, what to run, and when it is up.
        action: What to do.
        verify: How often to check whether it has come up.
    """
    names = select_hosts(access, hosts)
    if action == "start":
        verification = verify_until(verify)
        started = {host: start_service.submit(service, host, access) for host in names}
        runs = {host: verification.submit(service, handle, access) for host, handle in started.items()}
        _, starts = values_of("start", started)
        raise_for(starts)
    else:
        step = check_service if action == "check" else stop_service
        runs = {host: step.submit(service, host, access) for host in names}
    found, results = values_of(action, runs)
    checked = [(result_of_service(service.name, each), service_row(each)) for each in found.values()]
    rows = after_failures(results, worst_first(checked))
    publish_table("service", f"{action} {service.name} on {hosts}", rows)
    raise_for(results)
    raise_for(result for result, _ in checked)
    return list(found.values())
