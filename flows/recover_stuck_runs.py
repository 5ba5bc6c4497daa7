"""Recover runs whose trouble no automation noticed: the server went away, or the run that was to recover them died."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.recovery.stuck_runs import recover_all_stuck_runs


@flow(name="recover-stuck-runs")
def recover_stuck_runs() -> dict[UUID, str]:
    """Do for every stuck run what `recover` does for one; says for each what that was."""
    return recover_all_stuck_runs()
