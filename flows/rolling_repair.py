"""Put right what a rolling update left that was cancelled or died and will not be resumed."""

from __future__ import annotations

from remotejobs.prefect.tasks.flow import remote_flow
from remotejobs.prefect.tasks.jobs.reports import publish_table, row_of
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.rolling.repair import left_by, repair_host
from remotejobs.prefect.tasks.rolling.runs import ended_run


@remote_flow("rolling-repair")
def rolling_repair(
    run: str,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> dict[str, str]:
    """End what an update left running, put back every host that is healthy, and fail naming those that stay out.

    Args:
        run: Id of the flow run of rolling-update. It must have ended.
        notify: Whom to notify when hosts stay out.
    """
    left = left_by(ended_run(run))
    done, results = values_of("repair", {host: repair_host.submit(host, left) for host in left.hosts})
    publish_table(
        "rolling-repair", f"After the rolling update {left.update_id}", [row_of(result) for result in results]
    )
    raise_for(results)
    return done
