"""Copy a large file between the worker and many hosts: resumed after every cut, the same sha256 on both ends.

Hosts that can reach what they are to get fetch it by themselves: `download`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from remotejobs.operations.transfer import Transferred, sum_of
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, select_hosts
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.transfers import places, pull_file, push_file, report_transfers


@remote_flow("transfer", run_name="{direction} {source}: {hosts}")
def transfer(
    access: Access,
    direction: Literal["push", "pull"],
    hosts: HostPattern,
    source: Annotated[str, Field(min_length=1)],
    dest: Annotated[str, Field(min_length=1)],
    rate: Annotated[int, Field(ge=0)] = 0,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Transferred]:
    """Push a file to every host of a pattern, or pull it from each; fail at the end, naming the hosts where it failed.

    A run that is retried, or another one, goes on with what arrived.

    Args:
        access: Where the hosts are written down. A pushed file is put in its place by the user to become; a pulled one
            is read as the user who logs in.
        direction: push: from where the worker is to the hosts; pull: from the hosts to where the worker is.
        source: Path of the file, where it is copied from.
        dest: Path, where it is copied to. On hosts, with a slash at its end, a directory that is there; where the
            worker is, {host} in it is the name of the host.
        rate: Bytes a second for each host; 0 for no limit.
    """
    names = select_hosts(access, hosts)
    if direction == "push":
        sha256 = sum_of(Path(source))
        runs = {host: push_file.submit(source, dest, host, access, rate, sha256) for host in names}
        return report_transfers("push", f"{source} to {hosts}", runs)
    targets = places(dest, names, access)
    runs = {host: pull_file.submit(source, place, host, access, rate) for host, place in targets.items()}
    return report_transfers("pull", f"{source} from {hosts}", runs)
