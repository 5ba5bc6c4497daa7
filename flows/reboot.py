"""Reboot the hosts of a pattern, batch by batch: each is proven to have booted anew, or the rest is left alone."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from remotejobs.batches import batches
from remotejobs.reboot import Reboot, Rebooted
from remotejobs.serial import Serial
from tasks.access import Access
from tasks.connections import host_names
from tasks.ends import raise_for, values_of
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.reboot import PROVEN_BY, reboot_host, row_of
from tasks.reports import publish_table


@flow(
    name="reboot",
    flow_run_name="reboot {hosts}",
    on_failure=[tell_webhook, tell_block],
    on_crashed=[tell_webhook, tell_block],
)
def reboot(
    access: Access,
    hosts: Annotated[str, Field(min_length=1)],
    wanted: Reboot = PROVEN_BY,
    serial: Serial = 1,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Rebooted]:
    """Reboot every host of a pattern; stop after the first batch in which one does not come back.

    Args:
        access: Where the hosts are written down, and as whom to work there: rebooting needs root.
        hosts: Hosts to reboot, as a pattern, in this order: web*, databases.
        wanted: With which command, and how long to wait.
        serial: How many at a time, as Ansible's serial: 2, 25%, or a list whose last element repeats.
        notify: Whom to tell when the run failed.
    """
    done: list[Rebooted] = []
    for batch in batches(host_names(access, hosts), serial):
        rebooted, ends = values_of("reboot", {host: reboot_host.submit(host, access, wanted) for host in batch})
        done += rebooted.values()
        publish_table("reboot", f"Reboots of {hosts}", [row_of(each) for each in done])
        raise_for(ends)
    return done
