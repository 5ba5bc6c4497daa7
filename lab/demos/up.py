"""`make up`: the lab of the demo, and it stays, with UI, worker and schedules, until Ctrl-C."""

from __future__ import annotations

import contextlib
import sys

from lab.demos.backup import run_backup
from lab.demos.demo import perform, say
from lab.demos.stage import Stage
from lab.process import LabError


def stay(stage: Stage) -> None:
    try:
        run_backup(stage, say)
    except LabError as error:
        # The UI is where one finds out why, so it stays.
        say(f"{error}")
    say(f'\nWhat you can start: {stage.prefect.url}/v2/deployments?tags=["ops"]')
    say(f"The UI is at {stage.prefect.url}; the inventory of the three hosts is {stage.inventory}")
    say("Ctrl-C stops everything.")
    with contextlib.suppress(KeyboardInterrupt):
        stage.prefect.wait()


if __name__ == "__main__":
    sys.exit(perform("lab", stay))
