"""A rolling update in a process of its own, which may be killed.

usage: python -m lab.demos.run_update PARAMETERS     the flow's parameters, a JSON file
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from remotejobs.prefect.flows.rolling_update import rolling_update

if __name__ == "__main__":
    rolling_update(**json.loads(Path(sys.argv[1]).read_text()))
