"""The story of a migration in markdown: what happened on each host, and what a person does next."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from remotejobs.operations.migration.plan import Plan
from remotejobs.operations.migration.sight import Place, Seen, Sight, Standing, Step
from remotejobs.operations.migration.verdict import Outcome, Verdict
from remotejobs.text import duration, in_markdown, visible


@dataclass(frozen=True, slots=True)
class Story:
    """All that is told. `options` is what the command line needs to reach the hosts, such as `-i inventory.yml`.

    `jids` are those of the steps, on every host the same; `locks` gives the lock's file on each host that still has it.
    """

    plan: Plan
    verdict: Verdict
    sight: Sight
    jids: Mapping[Step, str]
    options: str
    locks: Mapping[str, str] = field(default_factory=dict)


def markdown(story: Story) -> str:
    parts = [
        f"# Migration: {story.verdict.outcome}",
        *_reasons(story.verdict),
        _table(story),
        *_next(story),
        *_last_lines(story),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _reasons(verdict: Verdict) -> list[str]:
    return ["\n".join(f"- {in_markdown(why)}" for why in verdict.why)]


def _table(story: Story) -> str:
    rows = [
        _row(host, step, story.sight.seen(host, step), story.jids[step])
        for host in story.plan.hosts
        for step in Step
        if step in story.plan.steps
    ]
    if not story.sight.begun:
        return "Nothing was started on any host."
    return "\n".join(["| host | step | state | rc | duration | jid |", "|---|---|---|---|---|---|", *rows])


def _row(host: str, step: Step, seen: Seen, jid: str) -> str:
    record = seen.record
    state, rc, took, name = _STATES[seen.standing], "", "", f"`{jid}`" if seen.standing.begun else ""
    if record is not None:
        rc = "" if record.rc is None else str(record.rc)
        state, took = str(record.state), duration(record.delta)
    if seen.reason:
        state = f"{state}: {in_markdown(seen.reason)}"
    return f"| {host} | {step} | {state} | {rc} | {took} | {name} |"


_STATES = {standing: str(standing) for standing in Standing} | {
    Standing.ABSENT: "never started",
    Standing.NOT_RUN: "not run",
    Standing.RUNNING: "not heard of",
}


def _last_lines(story: Story) -> list[str]:
    parts = []
    for place, seen in sorted(story.sight.steps.items()):
        if seen.record is not None and seen.record.last_lines:
            parts.append(f"**{place.step} on {place.host}**\n\n{_fenced(seen.record.last_lines)}")
    return ["## Last lines", *parts] if parts else []


def _next(story: Story) -> list[str]:
    """What a person does now; nothing after a success."""
    if story.verdict.outcome is Outcome.COMPLETED and not story.locks:
        return []
    return ["## What to do next", _ADVICE[story.verdict.outcome], *_commands(story)]


_ADVICE = {
    Outcome.COMPLETED: "The migration is done.",
    Outcome.REFUSED: "Nothing was changed. Remove the cause above and start a new run.",
    Outcome.ROLLED_BACK: "The data are as before, as far as the rollback was verified. Find out why it failed, mend "
    "the commands and start a new run; retrying this one only tells the same end again.",
    Outcome.ROLLBACK_FAILED: "The data on the hosts above are **not** as before, and no other migration begins there "
    "until the lock is removed. Look at the output, mend the data by hand or from the backup, then remove the lock.",
    Outcome.UNKNOWN: "Nothing was rolled back, because nobody knows what is true. When the hosts can be reached again, "
    "**retry this flow run**: it goes on where it was. A verify that was itself lost, as by a reboot, is not run "
    "again: run it by hand and decide. To find out by hand:",
}


def _commands(story: Story) -> list[str]:
    lines = []
    if story.verdict.outcome in (Outcome.UNKNOWN, Outcome.ROLLBACK_FAILED, Outcome.ROLLED_BACK):
        lines += [
            f"remotejobs {verb} {shlex.quote(host)} {story.jids[step]} {story.options}"
            for host, step in _open_questions(story)
            for verb in ("status", "log")
        ]
    parts = [_fenced("\n".join(lines))] if lines else []
    if story.locks:
        unlock = [
            f"remotejobs run {shlex.quote(host)} {story.options} -P 1 -- {shlex.quote(f'rm {shlex.quote(path)}')}"
            for host, path in story.locks.items()
        ]
        parts += ["The lock is still there. Once you know that nothing runs and the data are right:"]
        parts += [_fenced("\n".join(unlock))]
    return parts


def _open_questions(story: Story) -> list[Place]:
    """What began and did not end well, or of which nothing is known."""
    places = [Place(host, step) for host in story.plan.hosts for step in Step if step in story.plan.steps]
    standings = {place: story.sight.at(*place) for place in places}
    unseen = {host for host in story.sight.unreachable if not any(standings[place].begun for place in places)}
    return [
        place
        for place, standing in standings.items()
        if (standing.begun and standing is not Standing.WELL) or place.host in unseen
    ]


def _fenced(text: str) -> str:
    """A block that no run of backticks in the text can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{visible(text)}\n{fence}"
