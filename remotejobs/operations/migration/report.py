"""The report of a migration in markdown: what happened on each host, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from remotejobs.operations.migration.actions import MigrationOutcome, Verdict
from remotejobs.operations.migration.observed import HostStep, MigrationStep, ObservedState, ObservedStep, StepStatus
from remotejobs.operations.migration.plan import MigrationPlan
from remotejobs.operations.migration.words import data_known
from remotejobs.text import duration, fenced, in_markdown


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """All that is reported. `options` is what the command line needs to reach the hosts, such as `-i inventory.yml`.

    `jids` are those of the steps, on every host the same; `locks` gives the lock's file on each host that still has it.
    """

    plan: MigrationPlan
    verdict: Verdict
    observed: ObservedState
    jids: Mapping[MigrationStep, str]
    options: str
    locks: Mapping[str, str] = field(default_factory=dict)


def markdown(report: MigrationReport) -> str:
    parts = [
        f"# Migration: {report.verdict.outcome}",
        *_reasons(report.verdict),
        _table(report),
        *_next(report),
        *_last_lines(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _reasons(verdict: Verdict) -> list[str]:
    return ["\n".join(f"- {in_markdown(why)}" for why in verdict.why)]


def _table(report: MigrationReport) -> str:
    rows = [
        _row(host, step, report.observed.seen(host, step), report.jids[step])
        for host in report.plan.hosts
        for step in MigrationStep
        if step in report.plan.steps
    ]
    if not report.observed.started:
        return "Nothing was started on any host."
    return "\n".join(["| host | step | state | rc | duration | jid |", "|---|---|---|---|---|---|", *rows])


def _row(host: str, step: MigrationStep, seen: ObservedStep, jid: str) -> str:
    record = seen.record
    state, rc, took, name = _STATES[seen.status], "", "", f"`{jid}`" if seen.status.started else ""
    if record is not None:
        rc = "" if record.rc is None else str(record.rc)
        state, took = str(record.state), duration(record.delta)
    if seen.reason:
        state = f"{state}: {in_markdown(seen.reason)}"
    return f"| {host} | {step} | {state} | {rc} | {took} | {name} |"


_STATES = {status: str(status) for status in StepStatus} | {
    StepStatus.ABSENT: "never started",
    StepStatus.NOT_RUN: "not run",
    StepStatus.RUNNING: "unreachable",
}


def _last_lines(report: MigrationReport) -> list[str]:
    parts = []
    for host_step, seen in sorted(report.observed.steps.items()):
        if seen.record is not None and seen.record.last_lines:
            parts.append(f"**{host_step.step} on {host_step.host}**\n\n{fenced(seen.record.last_lines)}")
    return ["## Last lines", *parts] if parts else []


def _next(report: MigrationReport) -> list[str]:
    """What to do now; nothing after a success."""
    if report.verdict.outcome is MigrationOutcome.COMPLETED and not report.locks:
        return []
    advice = _ADVICE[report.verdict.outcome]
    if report.verdict.outcome is MigrationOutcome.REFUSED and report.observed.started:
        advice = "Nothing was migrated. What before did is not undone. Remove the cause above and start a new run."
    return ["## What to do next", *_known(report), advice, *_commands(report)]


def _known(report: MigrationReport) -> list[str]:
    """What is known of the data after a rollback that failed or was not started: no more than was seen."""
    if report.verdict.outcome is not MigrationOutcome.ROLLBACK_FAILED:
        return []
    lines = [f"- {in_markdown(line)}" for line in data_known(report.plan, report.observed)]
    return ["\n".join(["What is known of the data:", "", *lines])] if lines else []


_ADVICE = {
    MigrationOutcome.COMPLETED: "The migration is done.",
    MigrationOutcome.REFUSED: "Nothing was changed. Remove the cause above and start a new run.",
    MigrationOutcome.ROLLED_BACK: "The data are as before, as far as the rollback was verified. Find out why it "
    "failed, mend the commands and start a new run; retrying this one only reports the same end again.",
    MigrationOutcome.ROLLBACK_FAILED: "No other migration begins there until the lock is removed. Read the output, "
    "find out how the data are, put them right by hand or from the backup where they need it, then remove the lock.",
    MigrationOutcome.UNKNOWN: "Nothing was rolled back, because the hosts' state is unknown. When the hosts can be "
    "reached again, **retry this flow run**: it goes on where it was. A verify that was itself lost, as by a reboot, "
    "is not run again: run it by hand and decide. To find out by hand:",
}


def _commands(report: MigrationReport) -> list[str]:
    lines = []
    if report.verdict.outcome in (
        MigrationOutcome.UNKNOWN,
        MigrationOutcome.ROLLBACK_FAILED,
        MigrationOutcome.ROLLED_BACK,
    ):
        lines += [
            f"remotejobs {verb} {shlex.quote(host)} {report.jids[step]} {report.options}"
            for host, step in _open_questions(report)
            for verb in ("status", "log")
        ]
    parts = [fenced("\n".join(lines))] if lines else []
    if report.locks:
        unlock = [
            f"remotejobs lock release {shlex.quote(host)} {report.options} --reason 'why the data are right'"
            for host in report.locks
        ]
        parts += ["The lock is still there. Once you know that nothing runs and the data are right:"]
        parts += [fenced("\n".join(unlock))]
    return parts


def _open_questions(report: MigrationReport) -> list[HostStep]:
    """What began and did not end well, or of which nothing is known."""
    host_steps = [
        HostStep(host, step) for host in report.plan.hosts for step in MigrationStep if step in report.plan.steps
    ]
    statuses = {host_step: report.observed.at(*host_step) for host_step in host_steps}
    unseen = {
        host for host in report.observed.unreachable if not any(statuses[host_step].started for host_step in host_steps)
    }
    return [
        host_step
        for host_step, status in statuses.items()
        if (status.started and status is not StepStatus.SUCCEEDED) or host_step.host in unseen
    ]
