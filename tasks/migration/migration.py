"""A migration as one flow run carries it out: what it finds, what it does, and how it ends."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from prefect.futures import PrefectFuture

from remotejobs.errors import RemoteJobsError, StartFailed
from remotejobs.jobs.locks import Holder, LockHeld
from remotejobs.model import Job, Record
from remotejobs.operations.migration import (
    Action,
    Commands,
    EnsureDead,
    FreeSpace,
    HostStep,
    MigrationOutcome,
    MigrationPlan,
    MigrationStep,
    ObservedState,
    ObservedStep,
    RunSteps,
    StepStatus,
    Timeouts,
    Verdict,
    decide,
    observed_from,
)
from remotejobs.operations.migration.postgres import PostgresProof, application_name, step_environment
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.errors import JobFailed
from remotejobs.prefect.tasks.migration.postgres import PostgresQuestion
from remotejobs.prefect.tasks.migration.steps import (
    ContactLost,
    HostCheck,
    check_host,
    left_running,
    lock,
    prove_dead,
    run_step,
    unlock,
)


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is found: this run's own steps and locks (their files by host), and what speaks against going on.

    `locked` are the hosts that another run holds. `hosts` are those that this run noted in its locks: the migration is
    theirs, whatever the inventory says by now.
    """

    observed: ObservedState
    locks: Mapping[str, str]
    problems: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One migration, and the flow run that carries it out: `owner` is its id, which a retry keeps, `label` its name.

    `contact_timeout` is the seconds that a host may be unreachable, `poll` the seconds between two polls of a running
    step. `check_commands`: whether the commands are looked at on the hosts before anything begins. `may_leave_running`:
    whether what migrate leaves in the background is meant to stay. `postgres`: how PostgreSQL proves that nothing is
    left there; None: it is not asked.
    """

    access: Access
    plan: MigrationPlan
    commands: Commands
    timeouts: Timeouts
    jids: Mapping[MigrationStep, str]
    owner: str
    label: str
    contact_timeout: float
    poll: float
    free_space: FreeSpace
    check_commands: bool = True
    may_leave_running: bool = False
    postgres: PostgresProof | None = None

    def check(self, *, contact_timeout: float) -> Preflight:
        """Ask every host. One that cannot be reached is a problem, as is a lock of another run or a lack of room."""
        given = (
            self.access,
            self.jids,
            self.commands if self.check_commands else None,
            self.free_space.path,
            self._postgres(*MigrationStep),
            contact_timeout,
        )
        asked = self._each(check_host, self.plan.hosts, *given)
        checks = {host: answer for host, answer in asked.items() if isinstance(answer, HostCheck)}
        unreachable = {host: _words(answer) for host, answer in asked.items() if isinstance(answer, RemoteJobsError)}
        holders = [(host, check.readiness.holder) for host, check in checks.items()]
        ours = {host: holder for host, holder in holders if holder and holder.owner == self.owner}
        problems = [f"{host}: {why}" for host, why in unreachable.items()]
        problems += [why for host, check in checks.items() for why in self._against(host, check)]
        steps = {HostStep(host, step): seen for host, check in checks.items() for step, seen in check.seen.items()}
        noted = next((tuple(holder.note.split()) for holder in ours.values()), self.plan.hosts)
        locks = {host: holder.path for host, holder in ours.items()}
        locked = tuple(host for host, holder in holders if holder and holder.owner != self.owner)
        observed = ObservedState(steps=steps, unreachable=unreachable)
        return Preflight(observed, locks, tuple(problems), locked, noted)

    def lock(self, preflight: Preflight) -> Preflight:
        """Take the lock of every host; the problems are why there is none on others. What is over needs no lock."""
        if isinstance(decide(self.plan, preflight.observed), Verdict):
            return replace(preflight, problems=())
        note = " ".join(self.plan.hosts)
        asked = self._each(lock, self.plan.hosts, self.access, self.owner, self.label, note, self.contact_timeout)
        taken = {host: answer.path for host, answer in asked.items() if isinstance(answer, Holder)}
        problems = [
            f"{host}: {_words(answer)}" for host, answer in asked.items() if isinstance(answer, RemoteJobsError)
        ]
        held = tuple(host for host, answer in asked.items() if isinstance(answer, LockHeld))
        return replace(preflight, locks={**preflight.locks, **taken}, problems=tuple(problems), locked=held)

    def unlock(self, locks: Mapping[str, str]) -> dict[str, str]:
        """Give locks back. Returns those that could not be given back."""
        asked = self._each(unlock, tuple(locks), self.access, self.owner, self.contact_timeout)
        kept = {host for host, answer in asked.items() if isinstance(answer, RemoteJobsError)}
        return {host: path for host, path in locks.items() if host in kept and not isinstance(asked[host], LockHeld)}

    def carry_out(self, observed: ObservedState) -> tuple[Verdict, ObservedState]:
        """Do what is to be done, one action after the other, until the verdict."""
        while True:
            action = decide(self.plan, observed)
            if left := self._left_running(action):
                return Verdict(MigrationOutcome.UNKNOWN, left), observed
            if isinstance(action, Verdict):
                return action, observed
            observed = observed.updated(self._perform(action))

    def _left_running(self, action: Action) -> tuple[str, ...]:
        """What migrate left running where it is to be verified now, or called a success without a verify.

        It may still write: a verify that runs beside it judges data that change.
        """
        match action:
            case RunSteps(host_steps):
                hosts = tuple(host for host, step in host_steps if step is MigrationStep.VERIFY)
            case Verdict(MigrationOutcome.COMPLETED) if MigrationStep.VERIFY not in self.plan.steps:
                hosts = self.plan.hosts
            case _:
                hosts = ()
        if self.may_leave_running or not hosts:
            return ()
        jids = (self.jids[MigrationStep.MIGRATE],)
        postgres = self._postgres(MigrationStep.MIGRATE)
        asked = self._each(left_running, hosts, self.access, jids, postgres, self.contact_timeout)
        return tuple(
            f"{host}: {_words(left)}" if isinstance(left, RemoteJobsError) else _still_at_work(host, left)
            for host, left in asked.items()
            if left
        )

    def on(self, hosts: tuple[str, ...]) -> Migration:
        """The same migration on these hosts."""
        return replace(self, plan=replace(self.plan, hosts=hosts))

    @property
    def options(self) -> str:
        """What the command line needs to reach the same hosts as the same user."""
        become = f" --become --become-user {self.access.become_user or 'root'}" if self.access.become else ""
        return f"{shlex.join(self.access.words)}{become}"

    def _against(self, host: str, check: HostCheck) -> list[str]:
        """What speaks against beginning on a host that answered."""
        holder, free = check.readiness.holder, check.readiness.free_mib
        problems = []
        if holder and holder.owner != self.owner:
            whose = f"{holder.label} ({holder.owner}) since {holder.since}"
            ask = f"remotejobs lock status {shlex.quote(host)} {self.options}"
            problems.append(f"{host}: a migration is under way there: {whose}; `{ask}` shows what its run is doing")
        if free < self.free_space.min_free_mib:
            where = self.free_space.path or "the home directory"
            problems.append(f"{host}: {free} MiB are free in {where}, {self.free_space.min_free_mib} MiB are asked for")
        problems += [f"{host}: {step} cannot work: {why}" for step, why in check.wrong.items()]
        if check.postgres_refused:
            problems.append(f"{host}: PostgreSQL cannot give its proof: {check.postgres_refused}")
        return problems

    def _perform(self, action: Action) -> ObservedState:
        match action:
            case RunSteps(host_steps):
                runs = {host_step: run_step.submit(*self._step(host_step)) for host_step in host_steps}
                return _observed_from({host_step: _result(run) for host_step, run in runs.items()})
            case EnsureDead(hosts):
                jids = tuple(self.jids.values())
                given = (jids, self.timeouts.grace, self._postgres(*MigrationStep), self.contact_timeout)
                asked = self._each(prove_dead, hosts, self.access, *given)
                unreachable = {
                    host: _words(answer) for host, answer in asked.items() if isinstance(answer, RemoteJobsError)
                }
                survivors = {host: answer for host, answer in asked.items() if isinstance(answer, str)}
                return ObservedState(survivors=survivors, unreachable=unreachable)
            case Verdict():
                return ObservedState()

    def _step(self, host_step: HostStep) -> tuple[Job, str, Access, float, float]:
        host, step = host_step
        job = Job(
            jid=self.jids[step],
            cmd=self.commands.of(step),
            label=step,
            timeout=self.timeouts.of(step),
            grace=self.timeouts.grace,
            chdir=self.commands.chdir,
            env=step_environment(self.commands.env, application_name(step, self.owner), self.postgres),
        )
        return job, host, self.access, self.poll, self.contact_timeout

    def _postgres(self, *steps: MigrationStep) -> PostgresQuestion | None:
        """How to ask PostgreSQL for what is left of `steps`; None: it is not to be asked."""
        names = tuple(application_name(step, self.owner) for step in steps)
        if self.postgres is None:
            return None
        return PostgresQuestion(self.postgres, names, self.commands.env, self.commands.chdir)

    def _each(self, work: Any, hosts: tuple[str, ...], *arguments: object) -> dict[str, Any]:
        runs = {host: work.submit(host, *arguments) for host in hosts}
        return {host: _result(run) for host, run in runs.items()}


def _still_at_work(host: str, left: str) -> str:
    return (
        f"{host}: migrate ended with 0 and left running {left}, which may still write. Wait until it has ended, or end "
        "it, and retry this run; if it is meant to stay, start a new run with may_leave_running"
    )


def _result(run: PrefectFuture[Any]) -> Any:
    """What a task run returned, or the error of ours that it raised; any other error is raised here."""
    run.wait()
    result = run.result(raise_on_failure=False)
    if isinstance(result, BaseException) and not isinstance(result, RemoteJobsError):
        raise result
    return result


def _observed_from(results: Mapping[HostStep, Record | RemoteJobsError]) -> ObservedState:
    """A step that its host says it did not start was not run; of a host that gave no answer nothing is known."""
    steps: dict[HostStep, ObservedStep] = {}
    unreachable: dict[str, str] = {}
    for host_step, result in results.items():
        match result:
            case Record():
                steps[host_step] = observed_from(result)
            case JobFailed():
                steps[host_step] = observed_from(result.record)
            case StartFailed():
                steps[host_step] = ObservedStep(StepStatus.NOT_RUN, reason=_words(result))
            case _:
                record = result.record if isinstance(result, ContactLost) else None
                steps[host_step] = ObservedStep(StepStatus.RUNNING, record, reason="unknown whether it still runs")
                unreachable.setdefault(host_step.host, f"{host_step.step}: {_words(result)}")
    return ObservedState(steps=steps, unreachable=unreachable)


def _words(error: RemoteJobsError) -> str:
    """Without the host, which stands before it."""
    host = getattr(error, "host", "")
    return error.message.removeprefix(f"{host}: ")
