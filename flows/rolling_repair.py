"""Put right what a rolling update left that was cancelled or died and will not be resumed."""

from __future__ import annotations

from prefect import flow

from tasks.ends import raise_for, values_of
from tasks.fence import end_when_unwanted
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.reports import publish_table, row_of
from tasks.rolling_repair import left_by, repair_host
from tasks.rolling_runs import ended_run


@flow(
    name="rolling-repair",
    on_running=[end_when_unwanted],
    on_failure=[tell_webhook, tell_block],
    on_crashed=[tell_webhook, tell_block],
)
def rolling_repair(
    run: str,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> dict[str, str]:
    """End what an update left running, put back every host that is healthy, and fail naming those that stay out.

    Args:
        run: Id of the flow run of rolling-update. It must have ended.
        notify: Whom to tell when hosts stay out.
    """
    left = left_by(ended_run(run))
    done, ends = values_of("repair", {host: repair_host.submit(host, left) for host in left.hosts})
    publish_table("rolling-repair", f"After the rolling update {left.update_id}", [row_of(end) for end in ends])
    raise_for(ends)
    return done
