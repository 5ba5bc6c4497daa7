"""Prefect tasks: thin, a folder for each noun. What a flow passes or returns is defined here or in the core."""

from __future__ import annotations

from remotejobs.prefect.tasks.runs.process import STARTED_FOR
from remotejobs.workarounds.prefect.broken_pipe import survive_broken_pipe
from remotejobs.workarounds.prefect.first_connection import retry_first_connection

# A worker started this process for a run, which it took from that server: the address is right.
if STARTED_FOR:
    retry_first_connection()
    survive_broken_pipe()
