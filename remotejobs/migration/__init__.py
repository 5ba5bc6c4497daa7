"""Migrations with rollback, free of Prefect: the commands, what the hosts say, the next action, and the story."""

from remotejobs.migration.actions import Action, Prove, Run
from remotejobs.migration.commands import Commands, Limits, Order, Room
from remotejobs.migration.decide import decide
from remotejobs.migration.plan import Plan
from remotejobs.migration.sight import Place, Seen, Sight, Standing, Step, seen_of
from remotejobs.migration.story import Story, markdown
from remotejobs.migration.verdict import Outcome, Verdict

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
