"""What your own flows import: `from remotejobs.prefect import Access, remote_flow, run_jobs, select_hosts`.

The ready-made flows are in `remotejobs.prefect.flows`. What is not named here may change at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from remotejobs.errors import PrefectMissing

try:
    import prefect as prefect
except ModuleNotFoundError as exc:
    if exc.name != "prefect":
        raise
    raise PrefectMissing("flows and tasks need Prefect, which is not installed") from exc

from remotejobs.model import Handle, Job, Record, State
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.blocks.inventory import RemoteInventory, RemoteLogin
from remotejobs.prefect.tasks.blocks.remote_job import RemoteJob, RemoteJobRun
from remotejobs.prefect.tasks.connections import reached_by
from remotejobs.prefect.tasks.flow import Command, HostPattern, Label, remote_flow, run_jobs, select_hosts
from remotejobs.prefect.tasks.jobs.background import Background, in_background
from remotejobs.prefect.tasks.jobs.errors import HostsFailed, JobFailed, RetriesExhausted
from remotejobs.prefect.tasks.jobs.group import await_jobs
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.job import fetch_log, kill_job, poll_until, run_command, start_job
from remotejobs.prefect.tasks.jobs.options import JobOptions
from remotejobs.prefect.tasks.jobs.reports import publish_table, row_of
from remotejobs.prefect.tasks.jobs.results import JobResult, raise_for
from remotejobs.prefect.tasks.jobs.until import FOR_AN_HOUR, Until
from remotejobs.prefect.tasks.log_watch import log_watch
from remotejobs.prefect.tasks.runs.options import RunOptions
from remotejobs.renamed import renamed_names

__all__ = [
    "FOR_AN_HOUR",
    "Access",
    "Background",
    "Command",
    "Handle",
    "HostPattern",
    "HostsFailed",
    "Job",
    "JobFailed",
    "JobOptions",
    "JobResult",
    "JobStep",
    "Label",
    "Record",
    "RemoteInventory",
    "RemoteJob",
    "RemoteJobRun",
    "RemoteLogin",
    "RetriesExhausted",
    "RunOptions",
    "State",
    "Until",
    "await_jobs",
    "fetch_log",
    "in_background",
    "jid_for",
    "kill_job",
    "log_watch",
    "poll_until",
    "publish_table",
    "raise_for",
    "reached_by",
    "remote_flow",
    "row_of",
    "run_command",
    "run_jobs",
    "select_hosts",
    "start_job",
]

if not TYPE_CHECKING:  # a misspelt import is to be an error of types
    __getattr__ = renamed_names(__name__, {"End": "JobResult", "Step": "JobStep"})
