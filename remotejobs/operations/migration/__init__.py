"""Migrations with rollback, free of Prefect: the commands, what the hosts say, the next action, and the report."""

from remotejobs.operations.migration.actions import Action, EnsureDead, MigrationOutcome, RunSteps, Verdict
from remotejobs.operations.migration.commands import Commands, FreeSpace, Order, Timeouts
from remotejobs.operations.migration.decide import decide
from remotejobs.operations.migration.observed import (
    HostStep,
    MigrationStep,
    ObservedState,
    ObservedStep,
    StepStatus,
    observed_from,
)
from remotejobs.operations.migration.plan import MigrationPlan
from remotejobs.operations.migration.postgres import PostgresProof
from remotejobs.operations.migration.report import MigrationReport, markdown

__all__ = [
    "Action",
    "Commands",
    "EnsureDead",
    "FreeSpace",
    "HostStep",
    "MigrationOutcome",
    "MigrationPlan",
    "MigrationReport",
    "MigrationStep",
    "ObservedState",
    "ObservedStep",
    "Order",
    "PostgresProof",
    "RunSteps",
    "StepStatus",
    "Timeouts",
    "Verdict",
    "decide",
    "markdown",
    "observed_from",
]
