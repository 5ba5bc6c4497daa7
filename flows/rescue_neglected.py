"""See to runs of whose trouble no automation heard: the server went away, or what was to rescue them died."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.recovery.neglected import rescue_neglected_runs


@flow(name="rescue-neglected")
def rescue_neglected() -> dict[UUID, str]:
    """Do for every neglected run what `rescue` does for one; says for each what that was."""
    return rescue_neglected_runs()
