"""Update many hosts batch by batch and lose no request: out of the balancer, drained, deployed, healthy, back."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from remotejobs.rolling import HostReport, Update
from tasks.access import Access
from tasks.connections import host_names
from tasks.dry_run import dry_run_state
from tasks.fence import end_when_unwanted
from tasks.limits import share_of_forks
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.planned import updates_of
from tasks.rolling_batches import revert_batches, survey, update_batch
from tasks.rolling_repair import put_right
from tasks.rolling_reports import Progress, end_state, publish, why_stop, with_not_started
from tasks.rolling_runs import this_update


@flow(
    name="rolling-update",
    on_running=[end_when_unwanted],
    on_failure=[put_right, tell_webhook, tell_block],
    on_crashed=[tell_webhook, tell_block],
    on_cancellation=[put_right],
)
def rolling_update(
    access: Access,
    hosts: str,
    update: Update,
    resume_from: str = "",
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
    dry_run: bool = False,
) -> State[None]:
    """Bring a new version to every host of a pattern; when too many fail, stop and revert what the plan says.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        hosts: Hosts to update, as a pattern, in this order: web, web:!web3.
        update: What to deploy, in which batches, when to stop, and what to revert then.
        resume_from: Id of an earlier run, now over, to go on with: hosts that it updated are left alone. Empty: none.
        notify: Whom to tell when the run failed.
        dry_run: Show what would run where, and run nothing.
    """
    names = host_names(access, hosts)
    if dry_run:
        return dry_run_state(updates_of(names, update), access)
    with share_of_forks(access):
        rollout = survey(names, access, update, this_update(resume_from))
        reports: list[HostReport] = list(rollout.earlier)
        progress = Progress(len(names), reports)
        stopped = ""
        for batch in rollout.batches:
            reports += update_batch(rollout, batch, progress)
            publish(update, with_not_started(names, reports))
            if stopped := why_stop(update.budget, batch, len(names), reports):
                reports = revert_batches(rollout, reports, progress)
                break
        reports = with_not_started(names, reports)
        publish(update, reports)
        return end_state(update, stopped, reports)
