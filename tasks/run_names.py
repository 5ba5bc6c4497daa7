"""What flow runs are called in the UI: by what they do."""

from __future__ import annotations

from prefect.runtime import flow_run

from remotejobs.backup import BackupPlan
from remotejobs.display.text import number_of, one_line
from tasks.shards import WHOLE, Part

_COMMAND = 60


def of_command() -> str:
    """`uptime` on all, or the shard of it"""
    command = one_line(str(flow_run.parameters["command"]))
    shown = command if len(command) <= _COMMAND else f"{command[:_COMMAND]}…"
    return f"`{shown}` on {_shard() or flow_run.parameters['hosts']}"


def of_backup() -> str:
    """backup of 6 items, or the shard of it"""
    if shard := _shard():
        return f"backup, {shard}"
    items = BackupPlan.model_validate(flow_run.parameters["plan"]).items
    return f"backup of {len(items)} items" if len(items) > 1 else f"backup of {items[0].name}"


def _shard() -> str:
    part = Part.model_validate(flow_run.parameters.get("part", WHOLE))
    return f"{number_of(len(part.hosts), 'host')}: {part}" if part.of else ""
