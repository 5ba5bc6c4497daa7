"""Where `rolling_repair` was, for projects whose prefect.yaml still says so; gone with the next release."""

from __future__ import annotations

from remotejobs.prefect.flows import rolling_update
from remotejobs.renamed import warn_renamed

warn_renamed("remotejobs.prefect.flows.rolling_repair", "remotejobs.prefect.flows.rolling_update")

rolling_repair = rolling_update.rolling_repair
