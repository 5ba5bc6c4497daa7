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
    say(f"The UI is at {stage.prefect.url}; the inventory of the three hosts is {stage.inventory}")
    say("Ctrl-C stops everything.")
    with contextlib.suppress(KeyboardInterrupt):
        stage.prefect.wait()


if __name__ == "__main__":
    # The runs of its worker say where their jobs are seen live.
    place = port_or_free(USUAL_PORT)
    server = partial(PrefectServer, settings={"REMOTEJOBS_WEB_URL": url_at(place)})
    sys.exit(perform("lab", partial(stay, port=place), prefect=server))
