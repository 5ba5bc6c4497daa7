"""Migrations with rollback, free of Prefect: the commands, what the hosts say, the next action, and the story."""

from remotejobs.operations.migration.actions import Action, Prove, Run
from remotejobs.operations.migration.commands import Commands, Limits, Order, Room
from remotejobs.operations.migration.decide import decide
from remotejobs.operations.migration.plan import Plan
from remotejobs.operations.migration.sight import Place, Seen, Sight, Standing, Step, seen_of
from remotejobs.operations.migration.story import Story, markdown
from remotejobs.operations.migration.verdict import Outcome, Verdict

__all__ = [
    "Action",
    "Commands",
    "Limits",
    "Order",
    "Outcome",
    "Place",
    "Plan",
    "Prove",
    "Room",
    "Run",
    "Seen",
    "Sight",
    "Standing",
    "Step",
    "Story",
    "Verdict",
    "decide",
    "markdown",
    "seen_of",
]
