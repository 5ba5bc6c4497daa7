"""What a migration does on one host, each a task run of its own.

While a host is unreachable it is waited for, up to a timeout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from remotejobs.errors import HostError, JobExists, JobNotFound, Unreachable
from remotejobs.inventory.variables import text
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.locks import Holder
from remotejobs.jobs.wait import retry_while_unreachable, wait_until_ended
from remotejobs.model import Job, Record, State
from remotejobs.operations.migration import Commands, MigrationStep, ObservedStep, observed_from
from remotejobs.operations.migration.host import MigrationHost, Readiness
from remotejobs.operations.migration.observed import ABSENT
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import host_of, jobs_on, shell_of
from remotejobs.prefect.tasks.jobs.errors import JobFailed
from remotejobs.prefect.tasks.jobs.output import followed, last_line
from remotejobs.prefect.tasks.migration.postgres import PostgresQuestion
from remotejobs.text import duration


@dataclass(frozen=True, slots=True)
class HostCheck:
    """What one host answered at the first check: its lock and free space, and the steps of this run that are there.

    `wrong` says of commands why they cannot work there; empty once any step is there.
    `postgres_refused` likewise says why PostgreSQL cannot give its proof.
    """

    readiness: Readiness
    seen: Mapping[MigrationStep, ObservedStep]
    wrong: Mapping[MigrationStep, str] = field(default_factory=dict)
    postgres_refused: str = ""


class ContactLost(Unreachable):
    """The host could not be reached until the timeout.

    `record` is what was last seen of the job; None: it was never seen.
    """

    def __init__(self, host: str, why: str, record: Record | None) -> None:
        self.why = why
        self.record = record
        seen = f"; it was last seen {record.state} after {duration(record.delta)}" if record else ""
        super().__init__(host, f"{why}{seen}", remedy="Retry the run when the host can be reached: it goes on there.")

    def __reduce__(self) -> tuple[type[ContactLost], tuple[str, str, Record | None]]:
        return type(self), (self.host, self.why, self.record)


@task(task_run_name="check {host}", cache_policy=NO_CACHE)
def check_host(
    host: str,
    access: Access,
    jids: Mapping[MigrationStep, str],
    commands: Commands | None,
    space: str,
    postgres: PostgresQuestion | None,
    contact_timeout: float,
) -> HostCheck:
    """Ask `host` how it stands, which changes nothing. `contact_timeout` is seconds without contact.

    `commands` are checked where nothing has started, and `postgres` is asked there; None: they are not.

    Raises `HostError`.
    """
    migration, jobs = migration_on(access, host), jobs_on(access, host)

    def check() -> HostCheck:
        seen = {step: _seen(jobs, jid) for step, jid in jids.items()}
        fresh = not any(step.status.started for step in seen.values())
        wrong = migration.wrong_commands(commands) if fresh and commands else {}
        refused = postgres.refused(migration) if fresh and postgres else ""
        return HostCheck(migration.check(space), seen, wrong, refused)

    return retry_while_unreachable(check, contact_timeout=contact_timeout, on_unreachable=_log_unreachable)


@task(task_run_name="lock {host}", cache_policy=NO_CACHE)
def lock(host: str, access: Access, owner: str, label: str, note: str, contact_timeout: float) -> Holder:
    """Take the lock of `host`, or find that this run has it. Raises `LockHeld` and other `HostError`."""
    migration = migration_on(access, host)
    take = lambda: migration.lock.take(owner, label=label, note=note)  # noqa: E731
    return retry_while_unreachable(take, contact_timeout=contact_timeout, on_unreachable=_log_unreachable)


@task(task_run_name="unlock {host}", cache_policy=NO_CACHE)
def unlock(host: str, access: Access, owner: str, contact_timeout: float) -> None:
    """Give the lock of `host` back. Raises `HostError`."""
    migration = migration_on(access, host)
    retry_while_unreachable(
        lambda: migration.lock.release(owner), contact_timeout=contact_timeout, on_unreachable=_log_unreachable
    )


@task(task_run_name="prove all dead on {host}", cache_policy=NO_CACHE)
def prove_dead(
    host: str,
    access: Access,
    jids: Sequence[str],
    grace: int,
    postgres: PostgresQuestion | None,
    contact_timeout: float,
) -> str:
    """End what jobs left behind on `host`, and in PostgreSQL; returns what survived, "" for nothing.

    Raises `HostError`.
    """
    migration = migration_on(access, host)
    ask = lambda: migration.prove_dead(jids, grace=grace)  # noqa: E731
    survivors = retry_while_unreachable(ask, contact_timeout=contact_timeout, on_unreachable=_log_unreachable)
    proof = f"NOT PROVEN DEAD: {survivors}" if survivors else "no process of the migration was found"
    get_run_logger().info("%s: %s", host, proof)
    if survivors:
        return f"processes of the migration survived KILL: {survivors}"
    return postgres.await_end(migration, contact_timeout) if postgres else ""


@task(task_run_name="what is left running on {host}", cache_policy=NO_CACHE)
def left_running(
    host: str, access: Access, jids: Sequence[str], postgres: PostgresQuestion | None, contact_timeout: float
) -> str:
    """What jobs that ended by themselves left running on `host`, or in PostgreSQL, by name; "": nothing was found.

    Raises `HostError`.
    """
    migration = migration_on(access, host)
    ask = lambda: migration.left_running(jids)  # noqa: E731
    left = retry_while_unreachable(ask, contact_timeout=contact_timeout, on_unreachable=_log_unreachable)
    return left or (postgres.still_there(migration, contact_timeout) if postgres else "")


@task(task_run_name="{job.label} on {host}", cache_policy=NO_CACHE)
def run_step(job: Job, host: str, access: Access, poll: float, contact_timeout: float) -> Record:
    """Start `job` or attach to it, and wait for its end: the record of its success.

    Raises `JobFailed` when it ended in any other way. An unreachable host is no failure until `contact_timeout` seconds
    of it; then `ContactLost` is raised, and the job may run on. Raises other `HostError`.
    """
    jobs, last_seen = jobs_on(access, host), _LastSeen()
    try:
        record = _run(jobs, job, poll, contact_timeout, last_seen)
    except Unreachable as exc:
        raise ContactLost(host, exc.message.removeprefix(f"{host}: "), last_seen.record) from exc
    if fresh := followed().fresh(record.handle, record):
        get_run_logger().info("%s", fresh)
    if record.state is not State.SUCCEEDED:
        raise JobFailed(record)
    return record


class _LastSeen:
    """Remembers and logs the polls of a running job."""

    def __init__(self) -> None:
        self.record: Record | None = None

    def __call__(self, record: Record) -> None:
        self.record = record
        line = last_line(record)
        said = f", last line: {line}" if line else ", no output yet"
        get_run_logger().info("%s on %s: running %s%s", record.label, record.host, duration(record.delta), said)
        if fresh := followed().fresh(record.handle, record):
            get_run_logger().info("%s", fresh)


def _run(jobs: HostJobs, job: Job, poll: float, contact_timeout: float, last_seen: _LastSeen) -> Record:
    record = retry_while_unreachable(
        lambda: _start(jobs, job), contact_timeout=contact_timeout, on_unreachable=_log_unreachable
    )
    what = "attached to" if record.attached else "started"
    get_run_logger().info("%s job %s in %s", what, job.jid, record.results_dir)
    if record.finished:
        return record
    last_seen.record = record
    return wait_until_ended(
        jobs, job.jid, poll=poll, contact_timeout=contact_timeout, on_poll=last_seen, on_unreachable=_log_unreachable
    )


def _start(jobs: HostJobs, job: Job) -> Record:
    try:
        return jobs.start(job)
    except JobExists:  # started by an older release, which gave it another environment: the jid is this run's alone
        return jobs.record(job.jid)


def _seen(jobs: HostJobs, jid: str) -> ObservedStep:
    try:
        return observed_from(jobs.record(jid))
    except JobNotFound:
        return ABSENT


def migration_on(access: Access, host: str) -> MigrationHost:
    """What a migration asks `host` beside its jobs. `UsageError` for a host that the inventory does not name."""
    return MigrationHost(shell_of(access, host), directory=text(host_of(access, host), "remotejobs_dir"))


def _log_unreachable(error: HostError) -> None:
    get_run_logger().warning("%s; asking again", error.message)
