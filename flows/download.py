"""Let many hosts download a URL by themselves, in the background: resumed, checked, and there at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.operations.transfer import download_job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, run_jobs, select_hosts
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.runs.options import RunOptions
from remotejobs.worded import ABSOLUTE_PATH, SHA256_OR_EMPTY, Worded

_URL = Worded("(https?|ftp)://.*", "a URL that begins with http://, https:// or ftp://")


@remote_flow("download", run_name="download {url} on {hosts}", renamed={"limit": "timeout"})
def download(
    access: Access,
    hosts: HostPattern,
    url: Annotated[str, _URL],
    dest: Annotated[str, ABSOLUTE_PATH],
    sha256: Annotated[str, SHA256_OR_EMPTY] = "",
    rate: Annotated[int, Field(ge=0)] = 0,
    timeout: Annotated[int, Field(ge=1)] = 3600,
    poll: Annotated[float, Field(ge=1)] = 15,
    run: RunOptions = RunOptions(),
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[JobResult]:
    """Download a URL on every host of a pattern; fail at the end, naming the hosts where it failed.

    Args:
        url: What to download, as the hosts can reach it.
        dest: Absolute path of the file on the hosts.
        sha256: What its sha256 must be. With it a file that is there is not downloaded again, and a part of it is
            completed; empty for any.
        rate: Bytes a second for each host; 0 for no limit.
        timeout: Seconds after which a host ends it.
        poll: Seconds between two polls of a running job.
    """
    job = download_job(url, dest, jid_for("download", dest), sha256=sha256, rate=rate, timeout=timeout)
    jobs = [(job, host) for host in select_hosts(access, hosts)]
    return run_jobs(jobs, access, Until.outlasting(timeout + 60, delay=poll), run, title=f"{url} on {hosts}")
