"""The hosts of a rolling update together: what is done already, a batch side by side, what must be reverted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed, wait

from remotejobs.errors import Unreachable
from remotejobs.model import State
from remotejobs.operations.balancers import Standing
from remotejobs.operations.rolling import Batch, HostReport, Update, UpdateOutcome, in_batches, newest_first
from remotejobs.operations.rolling.history import StepKind, UpdateHistory
from remotejobs.operations.rolling.steps import is_restored
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.approval import NOT_NEEDED, Approval, is_answered
from remotejobs.prefect.tasks.jobs.results import raise_for, values_of
from remotejobs.prefect.tasks.rolling.errors import FoundOut, HostNotChanged, NoSpare, SoakFailed
from remotejobs.prefect.tasks.rolling.health import soak
from remotejobs.prefect.tasks.rolling.host import HostUpdate, change_host, found_out_words
from remotejobs.prefect.tasks.rolling.jobs import history
from remotejobs.prefect.tasks.rolling.managed_host import managed_host
from remotejobs.prefect.tasks.rolling.reports import UpdateProgress
from remotejobs.prefect.tasks.rolling.spares import spares_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """What is known of a host before the update begins, or goes on: `done` when nothing is left to do there."""

    version: str
    done: bool
    touched: bool
    found: Standing | None = None
    left_out: bool = False

    @property
    def out(self) -> bool:
        """Whether it got no requests before the update."""
        return self.found is not None and self.found.out

    def report(self, host: str, outcome: UpdateOutcome, reason: str = "") -> HostReport:
        """The row of a host that nothing is to be done with."""
        return HostReport(
            host=host,
            outcome=outcome,
            before=self.version if self.left_out else "",
            after="" if self.left_out else self.version,
            found=self.found.words if self.found else "",
            kept=self.out,
            touched=self.done,
            reason=reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """An update under way on `hosts`, named by `update_id`: the batches still to do, and the reports so far.

    `spares` are those of the hosts that are put in first; `aside` are they and those that were found out.
    """

    hosts: tuple[str, ...]
    access: Access
    update: Update
    update_id: str
    batches: tuple[Batch, ...]
    earlier: tuple[HostReport, ...]
    spares: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()

    def change(self, kind: StepKind, batch: str, host: str) -> HostUpdate:
        return HostUpdate(
            kind=kind,
            update_id=self.update_id,
            others=tuple(other for other in self.hosts if other != host),
            batch=batch,
            spare=host in self.spares,
            # What serves a version that has to go need not wait until all others serve.
            aside=self.aside if self.spares and kind is StepKind.DEPLOY else (),
        )


@task(task_run_name="check the load balancer", cache_policy=NO_CACHE)
def check_balancer(host: str, access: Access, update: Update) -> None:
    """Ask what stands before `host` and all others whether it can be commanded. Raises `HostError` by its own name."""
    managed_host(host, access, update).balancer.check()


@task(task_run_name="survey {host}", cache_policy=NO_CACHE)
def survey_host(host: str, access: Access, update: Update, update_id: str, *, spare: bool = False) -> Surveyed:
    """Check a host, its balancer and its history; changes nothing. An unreachable host is found out when it comes.

    Raises `UsageError` and the balancer's `HostError`: a plan that cannot work is better reported before anything is
    touched.
    """
    managed = managed_host(host, access, update)
    status, check = managed.balancer.status(managed.host), managed.check_health()
    try:
        past = history(host, access, update_id)
    except Unreachable:
        past = UpdateHistory()
    step = past.open_step(StepKind.DEPLOY, update.version)
    current = check.healthy and (not update.health.version or check.version == update.version)
    found = past.found if past.last else status.standing
    if spare and not (found and found.out):
        stands = "it gets requests" if found else "the load balancer does not say how it stands"
        raise NoSpare(host, f"is no spare host: {stands}")
    left_out = bool(found and found.out and not (past.last or spare) and update.found_out != "update")
    if found and left_out and update.found_out == "refuse":
        raise FoundOut(host, found_out_words(found))
    done = bool(step and step.state is State.SUCCEEDED) and current and is_restored(status, found)
    return Surveyed(
        version=check.version,
        done=done,
        touched=past.touched,
        found=found,
        left_out=left_out,
    )


def gate_of(update_id: str, update: Update) -> str:
    """What the answer at the gate is for: the same in each process of a run."""
    return f"rolling update {update_id} to {update.version}"


def survey(
    hosts: Sequence[str], access: Access, update: Update, update_id: str, gate: Approval = NOT_NEEDED
) -> Rollout:
    """Plan the batches of what is left to do. Raises `HostsFailed` when the plan cannot work, naming the hosts.

    Once the `gate` behind the canaries is answered, they are not watched again.
    """
    spares = spares_of(hosts, access, update)
    check = check_balancer.submit(hosts[0], access, update)
    runs = {host: survey_host.submit(host, access, update, update_id, spare=host in spares) for host in hosts}
    found, ends = values_of("survey", runs)
    check.result()  # what keeps the balancer from being commanded goes before what that means for each host
    raise_for(ends)
    done = {host for host, seen in found.items() if seen.done}
    left_out = [host for host in hosts if found[host].left_out]
    # A canary must get requests, so the hosts that get none come last.
    going = sorted(
        (host for host in hosts if host not in spares and host not in left_out), key=lambda host: found[host].out
    )
    canaries = {
        host for batch in in_batches(going, update.serial, update.canary) if batch.canary for host in batch.hosts
    }
    beyond = any(found[host].touched for host in going if host not in canaries)
    if not (beyond or is_answered(gate, gate_of(update_id, update))):
        # Their soak may not have been over: they are checked once more, and changed only where that is needed.
        done -= canaries
    if not done.issuperset(going):
        done -= set(spares)  # what is not updated yet needs them
    first = Batch(number=0, hosts=tuple(host for host in spares if host not in done), spare=True)
    return Rollout(
        hosts=tuple(hosts),
        access=access,
        update=update,
        update_id=update_id,
        batches=((first,) if first.hosts else ()) + in_batches(going, update.serial, update.canary, done),
        earlier=tuple(_earlier(host, found[host]) for host in hosts if host in done or found[host].left_out),
        spares=spares,
        aside=(*spares, *(host for host in hosts if host not in spares and found[host].out)),
    )


def _earlier(host: str, seen: Surveyed) -> HostReport:
    if seen.left_out and seen.found:
        return seen.report(host, UpdateOutcome.LEFT_OUT, found_out_words(seen.found))
    return seen.report(host, UpdateOutcome.EARLIER)


def update_batch(rollout: Rollout, batch: Batch, progress: UpdateProgress) -> list[HostReport]:
    """Update the hosts of one batch side by side; canaries must also stay healthy for their soak."""
    reports = _side_by_side(rollout, StepKind.DEPLOY, batch.name, batch.hosts, progress)
    return _soaked(rollout, reports) if batch.canary else reports


def revert_batches(
    rollout: Rollout, reports: Sequence[HostReport], progress: UpdateProgress, *, all_updated: bool = False
) -> list[HostReport]:
    """Revert what the plan says, newest first; returns all reports, those of the reverted hosts as they are now.

    `all_updated`: revert every host that was updated, as long as anything is to be reverted.
    """
    wanted = rollout.update.revert
    every = all_updated or wanted == "updated"
    chosen = [each.host for each in reports if each.touched and (every or each.failed)]
    known = {report.host: report for report in reports}
    for batch in newest_first(_by_batch(reports), chosen if wanted != "nothing" else ()):
        for report in _side_by_side(rollout, StepKind.REVERT, "", batch, progress):
            first = known[report.host]
            outcome = report.outcome if report.outcome is UpdateOutcome.REVERTED else UpdateOutcome.NOT_REVERTED
            reason = "\n".join(part for part in (first.reason, report.reason) if part)
            known[report.host] = replace(report, outcome=outcome, batch=first.batch, touched=True, reason=reason)
    return list(known.values())


def _by_batch(reports: Sequence[HostReport]) -> list[list[str]]:
    batches: dict[str, list[str]] = {}
    for report in reports:
        batches.setdefault(report.batch, []).append(report.host)
    return list(batches.values())


def _side_by_side(
    rollout: Rollout, kind: StepKind, batch: str, hosts: Sequence[str], progress: UpdateProgress
) -> list[HostReport]:
    runs = {
        change_host.submit(host, rollout.change(kind, batch, host), rollout.access, rollout.update): host
        for host in hosts
    }
    reports: dict[str, HostReport] = {}
    for run in as_completed(list(runs)):
        host = runs[run]
        outcome: object = run.result(raise_on_failure=False)
        reports[host] = _report_of(host, batch, outcome)
        progress.add(reports[host])
    return [reports[host] for host in hosts]


def _report_of(host: str, batch: str, outcome: object) -> HostReport:
    if isinstance(outcome, HostReport):
        return outcome
    if isinstance(outcome, HostNotChanged):
        return outcome.report
    # Nothing that is raised on purpose: how far it came is not known, so it counts as touched and out.
    return HostReport(
        host=host, batch=batch, outcome=UpdateOutcome.FAILED, out=True, touched=True, reason=repr(outcome)
    )


def _soaked(rollout: Rollout, reports: Sequence[HostReport]) -> list[HostReport]:
    good = [report.host for report in reports if report.outcome.good]
    if any(report.failed for report in reports):
        return list(reports)
    kept = {report.host: report.kept for report in reports}
    runs = {host: soak.submit(host, rollout.access, rollout.update, kept=kept[host]) for host in good}
    wait(list(runs.values()))
    outcomes = {host: run.result(raise_on_failure=False) for host, run in runs.items()}
    return [_unless_failed(report, outcomes.get(report.host)) for report in reports]


def _unless_failed(report: HostReport, soaked: object) -> HostReport:
    """Only `SoakFailed` says that the host was taken out; of anything else it is not known."""
    if not isinstance(soaked, BaseException):
        return report
    reason = str(soaked).removeprefix(f"{report.host}: ")
    return replace(report, outcome=UpdateOutcome.FAILED, out=isinstance(soaked, SoakFailed), reason=reason)
