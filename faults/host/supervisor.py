"""The processes of a job on its host killed, stopped, and run out of memory, behind the back of everybody."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote

from faults.network.transports import ProgramConnection, jobs_at
from faults.oracle import Oracle, short, started_or_lost, stubborn
from faults.trial import Trial, Try, lost
from lab import guard
from lab.job_files import bearers_of, kill_supervision, supervisor_of
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State

ENOUGH = 24 * 1024 * 1024  # bytes for a shell, and soon used up by one that reads /dev/zero into memory


def _started(jobs: HostJobs, oracle: Oracle) -> Record:
    record = jobs.start(oracle.job)
    oracle.await_run()
    return record


def killed(trial: Trial) -> Iterator[Try]:
    """A supervisor that dies with its reaper makes its job lost at once, reported as running on; a kill ends that."""
    jobs = jobs_at(ProgramConnection(), trial.directory / "jobs")
    for number in range(trial.tries):
        yield _killed(jobs, stubborn(trial.directory, f"job{number}"))


@started_or_lost
def _killed(jobs: HostJobs, oracle: Oracle) -> Try:
    record = _started(jobs, oracle)
    kill_supervision(record)
    seen = jobs.record(record.jid, wait=60)
    if (seen.state, seen.cause) != (State.LOST, "gone") or "still runs" not in seen.msg:
        return lost(f"{record.jid}: reported {seen.state} {seen.cause} {seen.msg!r} when its supervisor was killed")
    return _ended(oracle, jobs.kill(record.jid, grace=0))


def stopped(trial: Trial) -> Iterator[Try]:
    """A stopped supervisor is reported as such, and neither a limit nor a kill waits for it."""
    jobs = jobs_at(ProgramConnection(), trial.directory / "jobs")
    for number in range(trial.tries):
        limit = 1 if number % 2 == 0 else None
        yield _stopped(jobs, stubborn(trial.directory, f"job{number}", timeout=limit))


@started_or_lost
def _stopped(jobs: HostJobs, oracle: Oracle) -> Try:
    record = _started(jobs, oracle)
    os.kill(supervisor_of(record), signal.SIGSTOP)
    if oracle.job.timeout:
        return _ended(replace(oracle, state=State.TIMED_OUT), jobs.record(record.jid, wait=60))
    return _ended(oracle, jobs.kill(record.jid, grace=0))


def _ended(oracle: Oracle, record: Record) -> Try:
    if left := bearers_of(record):
        return lost(f"{record.jid}: {record.msg!r}, but {left} run on")
    return oracle.judge(replace(record, rc=None))


def out_of_memory(trial: Trial) -> Iterator[Try]:
    """The kernel kills the command for want of memory, and in every second try the supervisor first."""
    jobs = jobs_at(ProgramConnection(), trial.directory / "jobs")
    with _little_memory() as group:
        for number in range(trial.tries):
            of_command = number % 2 == 0 or group is None
            yield _command_out(jobs, trial, number, group) if of_command else _all_out(jobs, trial, number, group)


def _command_out(jobs: HostJobs, trial: Trial, number: int, group: Path | None) -> Try:
    # Where control groups may not be made, what the kernel would do then is done to it: SIGKILL.
    death = f"echo $$ >{quote(str(group))}/cgroup.procs; exec tail /dev/zero" if group else "kill -KILL $$"
    oracle = short(trial.directory, f"job{number}", trial.chance)
    job = replace(oracle.job, cmd=f"echo ran >>{quote(str(oracle.ran))}; {death}")
    oracle = replace(oracle, job=job, state=State.FAILED, rc=137, stdout=b"")
    jobs.start(job)
    record = jobs.record(job.jid, wait=60)
    return oracle.judge(record) if record.signal == "KILL" else lost(f"{job.jid}: reported signal {record.signal!r}")


@started_or_lost
def _all_out(jobs: HostJobs, trial: Trial, number: int, group: Path | None) -> Try:
    """Supervisor and command in one small group; the kernel is made to take the supervisor first."""
    go = trial.directory / f"go{number}"
    oracle = stubborn(trial.directory, f"job{number}")
    ran = f"echo ran >>{quote(str(oracle.ran))}"
    wait = f"until [ -e {quote(str(go))} ]; do sleep 0.02; done"
    cmd = f"{ran}; {wait}; echo 0 >/proc/self/oom_score_adj; exec tail /dev/zero"
    record = _started(jobs, replace(oracle, job=replace(oracle.job, cmd=cmd)))
    supervisor = supervisor_of(record)
    for pid in (supervisor, record.pid):
        (group or Path()).joinpath("cgroup.procs").write_text(str(pid))
    Path(f"/proc/{supervisor}/oom_score_adj").write_text("1000")
    go.touch()
    seen = jobs.record(record.jid, wait=60)
    # The supervisor died before it could write anything, or it lived to see its command killed: both can be true.
    true = (seen.state, seen.cause) == (State.LOST, "gone") or (seen.state, seen.signal) == (State.FAILED, "KILL")
    jobs.kill(record.jid, grace=0)
    if left := bearers_of(record):
        return lost(f"{record.jid}: {left} run on")
    return oracle.once() if true else lost(f"{record.jid}: reported {seen.state} {seen.cause} {seen.msg!r}")


@contextmanager
def _little_memory() -> Iterator[Path | None]:
    """A control group with little memory, of the first or the second kind; None where none can be made."""
    first, second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    parent, limit = (first, "memory.limit_in_bytes") if first.is_dir() else (second, "memory.max")
    group = parent / f"faults-{os.getpid()}"
    try:
        guard.enter("cgroup", group)
        group.mkdir()
    except OSError:
        yield None
        return
    try:
        (group / limit).write_text(str(ENOUGH))
    except OSError:
        group.rmdir()
        yield None
        return
    try:
        yield group
    finally:
        with contextlib.suppress(OSError):  # one that dies just now holds it for a moment
            group.rmdir()
