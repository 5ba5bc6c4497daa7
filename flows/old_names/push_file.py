"""What is `transfer` now, for projects whose prefect.yaml still has it; gone with the next release."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.operations.transfer import Transferred
from remotejobs.prefect.flows.transfer import transfer
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.renamed import warn_renamed

warn_renamed("remotejobs.prefect.flows.push_file", "remotejobs.prefect.flows.transfer")


@remote_flow("push-file", run_name="push {source} to {hosts}")
def push_file(
    access: Access,
    hosts: HostPattern,
    source: Annotated[str, Field(min_length=1)],
    dest: Annotated[str, Field(min_length=1)],
    rate: Annotated[int, Field(ge=0)] = 0,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Transferred]:
    """Do what `transfer` does with the direction push."""
    return transfer.fn(access, "push", hosts, source, dest, rate)
