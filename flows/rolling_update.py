"""Update many hosts batch by batch and lose no request: out of the balancer, drained, deployed, healthy, back.

Beside it, what puts right an update that died and will not be resumed.
"""

from __future__ import annotations

from prefect.client.schemas.objects import State

from remotejobs.operations.rolling import HostReport, Update
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.approval import NOT_NEEDED, Approval
from remotejobs.prefect.tasks.dry_run import dry_run_state
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, select_hosts
from remotejobs.prefect.tasks.jobs.reports import publish_table, row_of
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.prefect.tasks.limits import fork_slots
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.planned import updates_of
from remotejobs.prefect.tasks.rolling.batches import revert_batches, survey, update_batch
from remotejobs.prefect.tasks.rolling.found import found_by
from remotejobs.prefect.tasks.rolling.gate import check_gate, refused_at_gate
from remotejobs.prefect.tasks.rolling.repair import left_by, put_right, repair_host
from remotejobs.prefect.tasks.rolling.reports import UpdateProgress, end_state, publish, why_stop, with_not_started
from remotejobs.prefect.tasks.rolling.runs import ended_run, name_of_run, this_update
from remotejobs.prefect.tasks.rolling.spares import spares_of, withdraw_spares


@remote_flow("rolling-update", run_name=name_of_run, on_cancellation=put_right, on_failure=[put_right])
def rolling_update(
    access: Access,
    hosts: HostPattern,
    update: Update,
    resume_from: str = "",
    gate: Approval = NOT_NEEDED,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
    dry_run: bool = False,
) -> State[None]:
    """Bring a new version to every host of a pattern; when too many fail, stop and revert what the plan says.

    Args:
        hosts: Hosts to update, as a pattern, in this order: web, web:!web3.
        update: What to deploy, in which batches, when to stop, and what to revert then.
        resume_from: Id of an earlier run, now over, to go on with: hosts that it updated are left alone. Empty: none.
        gate: Whether a person has to agree, with the figures of the canaries, before the other hosts are updated. A no
            stops the update, and reverts the canaries unless nothing is to be reverted.
        dry_run: Show what would run where, and run nothing.
    """
    names = select_hosts(access, hosts)
    if dry_run:
        found = found_by(names, access, update)
        asked = "only the load balancer was asked" if found else "no host was asked"
        planned = updates_of(names, update, found, spares_of(names, access, update))
        return dry_run_state(planned, access, asked)
    check_gate(gate, update)
    with fork_slots(access):
        rollout = survey(names, access, update, this_update(resume_from), gate)
        reports: list[HostReport] = list(rollout.earlier)
        progress = UpdateProgress(len(names), reports)
        stopped = ""
        for batch in rollout.batches:
            if not (batch.canary or batch.spare) and (stopped := refused_at_gate(gate, rollout, reports)):
                reports = revert_batches(rollout, reports, progress, all_updated=True)
                break
            reports += update_batch(rollout, batch, progress)
            stopped = why_stop(update.budget, batch, len(names), reports)
            if stopped or batch is not rollout.batches[-1]:
                publish(update, with_not_started(names, reports))
            if stopped:
                reports = revert_batches(rollout, reports, progress)
                break
        reports = with_not_started(names, withdraw_spares(rollout, reports))
        publish(update, reports)
        return end_state(update, stopped, reports)


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
