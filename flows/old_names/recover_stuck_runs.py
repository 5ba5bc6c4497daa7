"""Where `recover_stuck_runs` was, for projects whose prefect.yaml still says so; gone with the next release."""

from __future__ import annotations

from remotejobs.prefect.flows import recover
from remotejobs.renamed import warn_renamed

warn_renamed("remotejobs.prefect.flows.recover_stuck_runs", "remotejobs.prefect.flows.recover")

recover_stuck_runs = recover.recover_stuck_runs
