"""Rolling updates: the plan, and everything about it that needs no Prefect."""

from remotejobs.operations.rolling.budget import Budget
from remotejobs.operations.rolling.order import Batch, in_batches, newest_first
from remotejobs.operations.rolling.plan import Health, Update
from remotejobs.operations.rolling.report import HostReport, UpdateOutcome, summary

__all__ = [
    "Batch",
    "Budget",
    "Health",
    "HostReport",
    "Update",
    "UpdateOutcome",
    "in_batches",
    "newest_first",
    "summary",
]
