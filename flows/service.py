"""Keep a service running in the background of hosts without an init system: start and verify it, check it, stop it."""

from __future__ import annotations

from typing import Annotated, Literal

from prefect import flow
from pydantic import Field

from remotejobs.service import Service
from tasks.access import Access
from tasks.connections import host_names
from tasks.ends import raise_for, values_of
from tasks.fence import end_when_unwanted
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.reports import publish_table
from tasks.services import (
    A_MINUTE,
    Found,
    Patience,
    check_service,
    end_of_service,
    service_row,
    start_service,
    stop_service,
    verify_until,
)


@flow(
    name="service",
    flow_run_name="{action} service on {hosts}",
    on_running=[end_when_unwanted],
    on_failure=[tell_webhook, tell_block],
    on_crashed=[tell_webhook, tell_block],
)
def service(
    access: Access,
    hosts: Annotated[str, Field(min_length=1)],
    service: Service,
    action: Literal["start", "check", "stop"] = "start",
    patience: Patience = A_MINUTE,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Found]:
    """Start a service on every host and see it come up, check that it is up, or stop it; fail, naming the hosts.

    One that is started and does not come up is left running, to be looked at; the next start attaches to it.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        hosts: Hosts it runs on, as a pattern: all, web*.
        service: What it is called, what to run, and when it is up.
        action: What to do.
        patience: How often to look whether it has come up.
        notify: Whom to tell when the run failed.
    """
    names = host_names(access, hosts)
    if action == "start":
        verify = verify_until(patience)
        started = {host: start_service.submit(service, host, access) for host in names}
        runs = {host: verify.submit(service, handle, access) for host, handle in started.items()}
        _, starts = values_of("start", started)
        raise_for(starts)
    else:
        step = check_service if action == "check" else stop_service
        runs = {host: step.submit(service, host, access) for host in names}
    found, ends = values_of(action, runs)
    publish_table("service", f"{action} {service.name} on {hosts}", [service_row(each) for each in found.values()])
    raise_for(ends)
    raise_for(end_of_service(service.name, each) for each in found.values())
    return list(found.values())
