"""Rolling updates: the plan, and everything about it that needs no Prefect."""

from remotejobs.operations.rolling.budget import Budget
from remotejobs.operations.rolling.order import Batch, in_batches, newest_first
from remotejobs.operations.rolling.plan import Health, Update
from remotejobs.operations.rolling.report import HostReport, Outcome, summary

__all__ = ["Batch", "Budget", "Health", "HostReport", "Outcome", "Update", "in_batches", "newest_first", "summary"]
