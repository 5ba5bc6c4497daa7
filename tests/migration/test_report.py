"""The report, for every outcome, from what was seen."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from remotejobs.model import Record, State
from remotejobs.operations.migration import (
    HostStep,
    MigrationOutcome,
    MigrationPlan,
    MigrationReport,
    MigrationStep,
    ObservedState,
    ObservedStep,
    StepStatus,
    Verdict,
    markdown,
    observed_from,
)

PLAN = MigrationPlan(("db1", "db2"), frozenset({MigrationStep.MIGRATE, MigrationStep.ROLLBACK}))
JIDS = {step: f"{step}.1" for step in MigrationStep}


def job(
    host: str, step: MigrationStep, state: State, rc: int | None = None, stderr: bytes = b""
) -> tuple[HostStep, ObservedStep]:
    record = Record(host=host, jid=JIDS[step], state=state, rc=rc, stderr=stderr, delta=65.0)
    return HostStep(host, step), observed_from(record)


def report(
    outcome: MigrationOutcome,
    *steps: tuple[HostStep, ObservedStep],
    locks: Mapping[str, str] | None = None,
    unreachable: Mapping[str, str] | None = None,
) -> str:
    verdict = Verdict(outcome, ("db1: migrate failed, rc 3",))
    observed = ObservedState(steps=dict(steps), unreachable=unreachable or {})
    return markdown(MigrationReport(PLAN, verdict, observed, JIDS, "-i hosts.yml", locks or {}))


def test_it_lists_for_each_step_on_each_host_jid_state_rc_duration_and_last_lines() -> None:
    text = report(
        MigrationOutcome.ROLLED_BACK,
        job("db1", MigrationStep.MIGRATE, State.FAILED, rc=3, stderr=b"one\ntwo\n"),
        job("db1", MigrationStep.ROLLBACK, State.SUCCEEDED, rc=0),
    )
    assert "| db1 | migrate | failed | 3 | 1m05s | `migrate.1` |" in text
    assert "| db1 | rollback | succeeded | 0 | 1m05s | `rollback.1` |" in text
    assert "| db2 | migrate | never started |  |  |  |" in text
    assert "**migrate on db1**\n\n```text\none\ntwo\n```" in text


def test_a_success_needs_no_advice() -> None:
    assert "What to do next" not in report(
        MigrationOutcome.COMPLETED, job("db1", MigrationStep.MIGRATE, State.SUCCEEDED, rc=0)
    )


@pytest.mark.parametrize(
    "outcome", [outcome for outcome in MigrationOutcome if outcome is not MigrationOutcome.COMPLETED]
)
def test_anything_else_says_what_to_do_next(outcome: MigrationOutcome) -> None:
    text = report(outcome, job("db1", MigrationStep.MIGRATE, State.FAILED, rc=3))
    assert text.startswith(f"# Migration: {outcome}\n")
    assert "## What to do next" in text


@pytest.mark.parametrize(
    ("steps", "known"),
    [
        (
            [job("db1", MigrationStep.MIGRATE, State.FAILED, rc=127)],
            (
                "db1: migrate failed, rc 127 (a command was not found), and nothing was run to undo it; "
                "what it changed is not known"
            ),
        ),
        (
            [
                job("db1", MigrationStep.MIGRATE, State.FAILED, rc=3),
                job("db1", MigrationStep.ROLLBACK, State.FAILED, rc=1),
            ],
            "db1: migrate failed, rc 3, and rollback failed, rc 1; how far each came is not known",
        ),
        (
            [
                job("db1", MigrationStep.MIGRATE, State.FAILED, rc=3),
                job("db1", MigrationStep.ROLLBACK, State.SUCCEEDED, rc=0),
                job("db1", MigrationStep.VERIFY_ROLLBACK, State.FAILED, rc=1),
            ],
            "db1: not as before, says verify_rollback failed, rc 1",
        ),
    ],
)
def test_of_the_data_no_more_is_claimed_than_was_seen(steps: list[tuple[HostStep, ObservedStep]], known: str) -> None:
    text = report(MigrationOutcome.ROLLBACK_FAILED, *steps).replace("\\_", "_")
    assert f"What is known of the data:\n\n- {known}\n" in text
    assert "**not** as before" not in text


def test_a_refusal_of_which_nothing_began_says_so() -> None:
    assert "Nothing was started on any host." in report(MigrationOutcome.REFUSED)


def test_unknown_has_the_exact_commands_to_find_out_and_to_unlock() -> None:
    lost = (
        HostStep("db1", MigrationStep.MIGRATE),
        ObservedStep(StepStatus.RUNNING, reason="unknown whether it still runs"),
    )
    text = report(
        MigrationOutcome.UNKNOWN, lost, unreachable={"db1": "timed out"}, locks={"db1": "/home/me/.remotejobs/.locks/m"}
    )
    assert "remotejobs status db1 migrate.1 -i hosts.yml" in text
    assert "remotejobs lock release db1 -i hosts.yml --reason 'why the data are right'" in text
    assert "retry this flow run" in text
    assert "| db1 | migrate | unreachable: unknown whether it still runs |" in text


def test_of_a_host_that_was_never_heard_of_every_step_is_asked_for() -> None:
    text = report(MigrationOutcome.UNKNOWN, unreachable={"db2": "refused"})
    assert "remotejobs status db2 migrate.1" in text
    assert "remotejobs status db2 rollback.1" in text


def test_output_can_neither_end_its_block_nor_command_a_terminal() -> None:
    text = report(
        MigrationOutcome.ROLLED_BACK,
        job("db1", MigrationStep.MIGRATE, State.FAILED, rc=3, stderr=b"```\n# gone\x1b[2J"),
    )
    assert "````text\n```\n# gone\\x1b[2J\n````" in text
