"""Let many hosts download a URL by themselves, in the background: resumed, checked, and there at once."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from remotejobs.transfer import download_job
from tasks.access import Access
from tasks.cancel import kill_jobs
from tasks.connections import host_names
from tasks.ends import End, end_of, raise_for
from tasks.fence import end_when_unwanted
from tasks.jids import jid_for
from tasks.jobs import poll_until, start_job
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.reports import publish_table, row_of
from tasks.until import Until


@flow(
    name="download",
    flow_run_name="download {url} on {hosts}",
    on_running=[end_when_unwanted],
    on_failure=[tell_webhook, tell_block],
    on_crashed=[tell_webhook, tell_block],
    on_cancellation=[kill_jobs],
)
def download(
    access: Access,
    hosts: Annotated[str, Field(min_length=1)],
    url: Annotated[str, Field(pattern="^(https?|ftp)://")],
    dest: Annotated[str, Field(pattern="^/")],
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = "",
    rate: Annotated[int, Field(ge=0)] = 0,
    limit: Annotated[int, Field(ge=1)] = 3600,
    poll: Annotated[float, Field(ge=1)] = 15,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[End]:
    """Download a URL on every host of a pattern; fail at the end, naming the hosts where it failed.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        hosts: Hosts that download it, as a pattern: all, web*.
        url: What to download, as the hosts can reach it.
        dest: Path of the file on the hosts.
        sha256: What its sha256 must be. With it a file that is there is not downloaded again, and one begun is gone on
            with; empty for any.
        rate: Bytes a second for each host; 0 for no limit.
        limit: Seconds after which a host ends it.
        poll: Seconds between two looks at a running job.
        notify: Whom to tell when the run failed.
    """
    job = download_job(url, dest, jid_for("download", dest), sha256=sha256, rate=rate, limit=limit)
    look = poll_until(Until.outlasting(limit + 60, delay=poll))
    started = {host: start_job.submit(job, host, access) for host in host_names(access, hosts)}
    polled = {host: look.submit(start, access) for host, start in started.items()}
    ends = [end_of(job.label, host, start, polled[host]) for host, start in started.items()]
    publish_table("download", f"{url} on {hosts}", [row_of(end) for end in ends])
    raise_for(ends)
    return ends
