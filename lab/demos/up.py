"""`make up`: the lab of the demo, and it stays, with UI, worker and schedules, until Ctrl-C."""

from __future__ import annotations

import contextlib
import sys
from functools import partial

from lab.demos.backup import run_backup
from lab.demos.demo import perform, say
from lab.demos.stage import Stage
from lab.ports import Port, port_or_free
from lab.process import LabError
from lab.servers.prefect.server import PrefectServer
from lab.servers.web.live_page import USUAL_PORT, LivePage, url_at


def stay(stage: Stage, port: Port) -> None:
    with LivePage(stage.directory, port, stage.inventory, stage.prefect.api_url) as page:
        show(stage, page)


def show(stage: Stage, page: LivePage) -> None:
    try:
        run_backup(stage, say)
    except LabError as error:
        # The UI is where one finds out why, so it stays.
        say(f"{error}")
    say(f'\nWhat you can start: {stage.prefect.url}/v2/deployments?tags=["ops"]')
    say(f"The jobs on the hosts, live: {page.url}")
    for number, (what, how) in enumerate(things_to_try(stage), 1):
        say(f"  {number}. {what}\n     {how}")
    say(f"The UI is at {stage.prefect.url}; the inventory of the three hosts is {stage.inventory}")
    say("Ctrl-C stops everything.")
    with contextlib.suppress(KeyboardInterrupt):
        stage.prefect.wait()


def things_to_try(stage: Stage) -> list[tuple[str, str]]:
    """What shows what this is for, and where to press or what to type for it."""
    forms = {each.name: f"{stage.prefect.url}/v2/deployments/deployment/{each.id}" for each in stage.api.deployments()}
    inventory = f"-i {stage.inventory}"
    return [
        ("See a job's output as it is written: Quick run, then click the job on the live page.", forms["build"]),
        ("Start a migration that waits for your yes: Quick run, then Resume on the run's page.", forms["migration"]),
        ("Start a service, see it go on for ever, and end it from a terminal, with proof.", forms["service"]),
        ("Back up again and cancel the run midway: each of its jobs ends, with proof.", forms["nightly-backup"]),
        ("Start a command without Prefect, and find it again.", f"remotejobs run all {inventory} -P 0 -- sleep 60"),
    ]


if __name__ == "__main__":
    # The runs of its worker say where their jobs are seen live.
    place = port_or_free(USUAL_PORT)
    server = partial(PrefectServer, settings={"REMOTEJOBS_WEB_URL": url_at(place)})
    sys.exit(perform("lab", partial(stay, port=place), prefect=server))
