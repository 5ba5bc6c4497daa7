"""Prefect tasks: thin, one noun a file. What a flow passes or returns is defined here or in the core."""

from __future__ import annotations

import os

from tasks.patient_clients import be_patient
from tasks.worker_gone import outlive_worker

# A worker started this process for a run, which it took from that server: the address is right.
if "PREFECT__FLOW_RUN_ID" in os.environ:
    be_patient()
    outlive_worker()
