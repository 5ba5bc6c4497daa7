"""Copy a large file from the controller to many hosts: resumed after every cut, the same sha256 on both ends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from remotejobs.operations.transfer import Transferred, sum_of
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, select_hosts
from remotejobs.prefect.tasks.jobs.reports import after_failures, publish_table
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.transfers import push_file as push_to_host
from remotejobs.prefect.tasks.transfers import transfer_row


@remote_flow("push-file", run_name="push {source} to {hosts}")
def push_file(
    access: Access,
    hosts: HostPattern,
    source: Annotated[str, Field(min_length=1)],
    dest: Annotated[str, Field(min_length=1)],
    rate: Annotated[int, Field(ge=0)] = 0,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Transferred]:
    """Copy a file to every host of a pattern, all at once; fail at the end, naming the hosts where it failed.

    A run that is retried, or another one, goes on with what arrived.

    Args:
        access: Where the hosts are written down, and as whom the file is put in its place.
        hosts: Hosts to copy it to, as a pattern: all, web*.
        source: Path of the file, where the worker is.
        dest: Path on the hosts; with a slash at its end, a directory that is there.
        rate: Bytes a second for each host; 0 for no limit.
    """
    names = select_hosts(access, hosts)
    sha256 = sum_of(Path(source))
    runs = {host: push_to_host.submit(source, dest, host, access, rate, sha256) for host in names}
    done, results = values_of("push", runs)
    rows = after_failures(results, [transfer_row(each) for each in done.values()])
    publish_table("push-file", f"{source} to {hosts}", rows)
    raise_for(results)
    return list(done.values())
