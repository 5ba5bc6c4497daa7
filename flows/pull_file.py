"""Copy a large file from many hosts to the controller: resumed after every cut, the same sha256 on both ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.operations.transfer import Transferred
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, select_hosts
from remotejobs.prefect.tasks.jobs.reports import after_failures, publish_table
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.transfers import places, transfer_row
from remotejobs.prefect.tasks.transfers import pull_file as pull_from_host


@remote_flow("pull-file", run_name="pull {source} from {hosts}")
def pull_file(
    access: Access,
    hosts: HostPattern,
    source: Annotated[str, Field(min_length=1)],
    dest: Annotated[str, Field(min_length=1)],
    rate: Annotated[int, Field(ge=0)] = 0,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Transferred]:
    """Copy a file from every host of a pattern, all at once; fail at the end, naming the hosts where it failed.

    A run that is retried, or another one, goes on with what arrived.

    Args:
        access: Where the hosts are written down. The file is read as the user who logs in.
        hosts: Hosts to copy it from, as a pattern: all, db*.
        source: Path of the file on the hosts.
        dest: Path where the worker is; {host} in it is the name of the host.
        rate: Bytes a second for each host; 0 for no limit.
    """
    targets = places(dest, select_hosts(access, hosts), access)
    runs = {host: pull_from_host.submit(source, place, host, access, rate) for host, place in targets.items()}
    done, results = values_of("pull", runs)
    rows = after_failures(results, [transfer_row(each) for each in done.values()])
    publish_table("pull-file", f"{source} from {hosts}", rows)
    raise_for(results)
    return list(done.values())
