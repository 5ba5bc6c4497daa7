"""What flow runs are called in the UI: by what they do."""

from __future__ import annotations

from prefect.runtime import flow_run

from remotejobs.backup import BackupPlan
from remotejobs.display.text import one_line

_COMMAND = 60


def of_command() -> str:
    """`uptime` on all"""
    command = one_line(str(flow_run.parameters["command"]))
    shown = command if len(command) <= _COMMAND else f"{command[:_COMMAND]}…"
    return f"`{shown}` on {flow_run.parameters['hosts']}"


def of_backup() -> str:
    """backup of 6 items"""
    items = BackupPlan.model_validate(flow_run.parameters["plan"]).items
    return f"backup of {len(items)} items" if len(items) > 1 else f"backup of {items[0].name}"
