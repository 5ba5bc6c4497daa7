"""Rolling updates: the plan, and everything about it that needs no Prefect."""

from remotejobs.rolling.budget import Budget
from remotejobs.rolling.order import Batch, in_batches, newest_first
from remotejobs.rolling.plan import Health, Update
from remotejobs.rolling.report import HostReport, Outcome, summary

__all__ = ["Batch", "Budget", "Health", "HostReport", "Outcome", "Update", "in_batches", "newest_first", "summary"]
