"""One host's way through a rolling update: out of the load balancer, changed, healthy, and back."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from remotejobs.errors import HostError, RemoteJobsError, Unreachable
from remotejobs.model import State
from remotejobs.operations.balancers import BalancerStatus, Standing
from remotejobs.operations.rolling import HostReport, Update, UpdateOutcome
from remotejobs.operations.rolling.history import StepKind, UpdateHistory, UpdateStep
from remotejobs.operations.rolling.steps import HealthResult, HealthStatus
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.errors import JobFailed
from remotejobs.prefect.tasks.rolling.errors import FoundOut, HostNotChanged, LostContact, TakenOver
from remotejobs.prefect.tasks.rolling.health import await_health
from remotejobs.prefect.tasks.rolling.jobs import history, leave_note, run_step
from remotejobs.prefect.tasks.rolling.load_balancer import await_floor, drain, put_back, put_in, take_out
from remotejobs.prefect.tasks.rolling.managed_host import managed_host


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUpdate:
    """What to do with a host: `update_id` names the update, `others` are the hosts of which enough must be healthy.

    `spare`: it stands by, and is put in once it is updated. `aside`: hosts without which all servers serve, where there
    are spare ones.
    """

    kind: StepKind
    update_id: str
    others: tuple[str, ...]
    batch: str = ""
    spare: bool = False
    aside: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        return "update" if self.kind is StepKind.DEPLOY else "revert"


@task(task_run_name="{change.verb} {host}", cache_policy=NO_CACHE)
def change_host(host: str, change: HostUpdate, access: Access, update: Update) -> HostReport:
    """Update one host, or revert it; the report says how it went. `HostNotChanged` has the report of a failure.

    Whatever happens, a host that is healthy is put back, and one that is not stays out and is named.
    """
    way = _Way(host, change, access, update)
    try:
        way.go()
    except RemoteJobsError as exc:
        way.stop(exc)
    if way.report.failed:
        raise HostNotChanged(way.report)
    return way.report


class _Way:
    """The report of one host as it comes to be."""

    def __init__(self, host: str, change: HostUpdate, access: Access, update: Update) -> None:
        self.host = host
        self.change = change
        self.access = access
        self.update = update
        self.report = HostReport(host=host, outcome=UpdateOutcome.FAILED, batch=change.batch)
        self._found: Standing | None = None  # how it stood in the balancer before this update; None: not known
        self._left = False  # whether the balancer was asked to take it out, with or without an answer

    def go(self) -> None:
        past = history(self.host, self.access, self.change.update_id)
        before = past.before or managed_host(self.host, self.access, self.update).check_health().version
        self._note(before=before, touched=past.touched)
        self._see_standing(past)
        if self.report.outcome is UpdateOutcome.LEFT_OUT:
            return None
        target = self.update.version if self.change.kind is StepKind.DEPLOY else before
        if self.change.kind is StepKind.REVERT and not (before or self.update.revert_command):
            raise HostError(self.host, "the version before is not known", remedy="Set revert_command.")
        done = past.open_step(self.change.kind, target)
        if done and done.state is State.SUCCEEDED:
            if self._healthy(target, keep_out=False).condition is HealthStatus.READY:
                return self._back(
                    UpdateOutcome.EARLIER if self.change.kind is StepKind.DEPLOY else UpdateOutcome.REVERTED
                )
            done = None
        return self._change(past, done, target, before)

    def _see_standing(self, past: UpdateHistory) -> None:
        """How it was found: as the first note says, or as it is now, when this update has not touched it yet."""
        if past.last:
            self._found = past.found
        else:
            managed = managed_host(self.host, self.access, self.update)
            self._found = managed.balancer.status(managed.host).standing
        self._note(found=self._found.words if self._found else "")
        if past.last or self.change.spare or not (self._found and self._found.out):
            return
        if self.update.found_out == "refuse":
            self._note(kept=True)
            raise FoundOut(self.host, found_out_words(self._found))
        if self.update.found_out == "leave":
            self._note(outcome=UpdateOutcome.LEFT_OUT, kept=True, reason=found_out_words(self._found))

    def _change(self, past: UpdateHistory, step: UpdateStep | None, target: str, before: str) -> None:
        """All steps; `step` is one that still runs, which is attached to."""
        trouble = ""
        try:
            past = self._leave(past, step, target, before)
            drained = drain(self.host, self.access, self.update)
            self._note(drain=drained.seconds, left=drained.left, again=self.report.again + drained.again)
            self._run(step or past.next(self.change.kind, target, before, self._found))
        except RemoteJobsError as exc:
            if not self._left or may_be_at_work(step, exc):
                raise
            trouble = str(exc)
        verdict = self._healthy("" if trouble else target)
        self._settle(verdict, trouble)

    def _leave(self, past: UpdateHistory, step: UpdateStep | None, target: str, before: str) -> UpdateHistory:
        """End what an earlier attempt left running, leave a note, and take the host out once enough others serve.

        Returns the history with the note.
        """
        if past.last and step is None and past.last.state in (State.RUNNING, State.LOST):
            managed_host(self.host, self.access, self.update).jobs.kill(past.last.jid(self.change.update_id))
        with _one_at_a_time():
            if self._gets_requests(past):
                await_floor(self.host, self.change.others, self.access, self.update, aside=self.change.aside)
            if step is None:
                note = past.next(StepKind.NOTE, target, before, self._found)
                leave_note(note, self.host, self.access, self.change.update_id)
                past = past.then(note)
            self._note(out=self.update.balancer.kind != "none")
            self._left = True
            take_out(self.host, self.access, self.update)
        return past

    def _run(self, step: UpdateStep) -> None:
        self._note(touched=True)
        try:
            deployed = run_step(step, self.host, self.access, self.update, self.change.update_id)
        except JobFailed as exc:
            self._note(deploy=exc.record.delta)
            raise
        self._note(deploy=deployed.record.delta, again=self.report.again + deployed.again)

    def _healthy(self, wanted: str, *, keep_out: bool = True) -> HealthResult:
        wanted = wanted if self.update.health.version else ""
        verdict = await_health(self.host, wanted, self.access, self.update, keep_out=keep_out)
        self._note(health=verdict.seconds, after=verdict.version)
        if verdict.condition is HealthStatus.READY:
            self._note(reason=verdict.flapping)
        return verdict

    def _settle(self, verdict: HealthResult, trouble: str) -> None:
        """Put the host back if it is healthy; only one that is healthy with the version wanted counts as changed."""
        if verdict.condition is HealthStatus.UNHEALTHY:
            self._note(reason=f"{trouble}\nnot healthy: {verdict.why}".strip())
        elif trouble or verdict.condition is HealthStatus.HEALTHY:
            self._note(reason=trouble or verdict.why)
            self._back(UpdateOutcome.FAILED)
        else:
            self._back(UpdateOutcome.UPDATED if self.change.kind is StepKind.DEPLOY else UpdateOutcome.REVERTED)

    def _back(self, outcome: UpdateOutcome) -> None:
        if self.change.spare and outcome in (UpdateOutcome.UPDATED, UpdateOutcome.EARLIER):
            put_in(self.host, self.access, self.update)
            return self._note(outcome=outcome, out=False)
        try:
            put_back(self.host, self._found, self.access, self.update)
        except TakenOver as exc:  # what an operator did meanwhile is no failure of the update
            return self._note(outcome=outcome, reason=f"{self.report.reason}\n{exc.message}".strip())
        return self._note(outcome=outcome, out=False, kept=bool(self._found and self._found.out))

    def _gets_requests(self, past: UpdateHistory) -> bool:
        """Whether it is to be missed, be it in one of several backends alone. One that was just found in is."""
        if past.last is None and self._found and not self._found.out:
            return True
        inside = self._status().inside
        return not self.report.out if inside is None else inside

    def _is_out(self) -> bool:
        """As the balancer says; as we left it where that does not know or cannot be asked."""
        out = self._status().out
        return self.report.out if out is None else out

    def _status(self) -> BalancerStatus:
        """How it stands now; nothing is known where the balancer cannot be asked."""
        try:
            managed = managed_host(self.host, self.access, self.update)
            return managed.balancer.status(managed.host)
        except HostError as exc:
            get_run_logger().error("the load balancer cannot be asked of %s: %s", self.host, exc)
            return BalancerStatus()

    def stop(self, error: RemoteJobsError) -> None:
        # That the load balancer's host cannot be asked says nothing of this one.
        unreachable = isinstance(error, Unreachable | LostContact) and error.host == self.host
        self._note(
            outcome=UpdateOutcome.UNREACHABLE if unreachable else UpdateOutcome.FAILED,
            out=self._is_out(),
            reason=f"{self.report.reason}\n{error}".strip(),
        )

    def _note(self, **facts: Any) -> None:
        self.report = replace(self.report, **facts)


def may_be_at_work(step: UpdateStep | None, error: RemoteJobsError) -> bool:
    """Whether `error` leaves something at work on the host, which must not be put back then however healthy it seems.

    `step` is one that was found running.
    """
    if isinstance(error, JobFailed):
        return bool(error.record.survivors)
    return isinstance(error, LostContact) or step is not None


def found_out_words(found: Standing) -> str:
    """Why a host is left as it is, or refused."""
    return f"the load balancer gave it no requests before this update: {found.words}"


@cache
def _one_at_a_time() -> threading.Lock:
    """Hosts of a batch leave one after another, so that each sees those before it gone."""
    return threading.Lock()
