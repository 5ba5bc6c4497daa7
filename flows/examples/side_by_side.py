"""Several jobs with timeouts of their own on each host, other work meanwhile, each awaited by itself, and a report."""

from __future__ import annotations

import shlex
from typing import Annotated

from prefect import get_run_logger
from pydantic import Field

from remotejobs.prefect import (
    Access,
    HostPattern,
    JobResult,
    in_background,
    publish_table,
    raise_for,
    remote_flow,
    row_of,
    run_command,
    select_hosts,
)

LIBPQ: dict[str, str] = {}  # for example PGHOST, PGUSER and PGPASSFILE, or nothing where the login's own will do


@remote_flow("side-by-side", run_name="side by side on {hosts}")
def side_by_side(
    access: Access,
    hosts: HostPattern,
    databases: list[str],
    data: str = "/opt/myapp/data",
    logs: str = "/var/log/myapp",
    directory: str = "/backup",
    env: dict[str, str] = LIBPQ,
    poll: Annotated[float, Field(gt=0)] = 15,
) -> list[JobResult]:
    """Dump databases and archive files and logs, all at once, and check the disk meanwhile.

    Args:
        databases: Databases of PostgreSQL; a job for each.
        data: Directory to archive within an hour.
        logs: Directory to archive within half an hour.
        directory: Where the backups go.
        env: Added to the environment of the jobs; nothing secret.
        poll: Seconds between two polls of a running job.
    """
    work = {f"dump of {name}": (shlex.join(["pg_dump", "-Fc", "-f", f"{name}.dump", name]), 3600) for name in databases}
    work["files"] = (shlex.join(["tar", "-czf", "files.tar.gz", data]), 3600)
    work["log archive"] = (shlex.join(["tar", "-czf", "logs.tar.gz", logs]), 1800)
    names = select_hosts(access, hosts)

    jobs = [
        in_background(command, host, access, label=label, timeout=timeout, chdir=directory, env=env, poll=poll)
        for host in names
        for label, (command, timeout) in work.items()
    ]
    for host in names:  # other work, while they run
        run_command(shlex.join(["df", "-h", directory]), host, access, label="disk")
    results = [job.result() for job in jobs]

    for result in results:
        get_run_logger().info("%s on %s: %s", result.step, result.host, "SUCCESS" if result.succeeded else "FAILED")
    publish_table("side-by-side", f"Backups on {hosts}", [row_of(result) for result in results])
    raise_for(results)
    return results
