"""`make up`: a whole little company on loopback, and it stays, with UI, workers and schedules, until Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from lab.demos.backup import run_backup
from lab.demos.company import Company, open_company
from lab.demos.demo import perform, say
from lab.demos.stage import Stage, open_stage
from lab.ports import Port, port_or_free
from lab.process import LabError
from lab.servers.prefect.server import PrefectServer
from lab.servers.web.live_page import USUAL_PORT, LivePage, url_at

WORKERS = ("lab-1", "lab-2")
_FAILING = {
    "migrate": "echo 3 >version",
    "verify": "grep -x 2 version",
    "rollback": "echo 1 >version",
    "verify_rollback": "grep -x 1 version",
}
_LONG = "for n in $(seq 300); do echo step $n; sleep 1; done"


def stay(stage: Stage, port: Port) -> None:
    with (
        open_company(stage, say) as company,
        LivePage(stage.directory, port, stage.inventory, stage.prefect.api_url) as page,
    ):
        show(stage, company, page)


def show(stage: Stage, company: Company, page: LivePage) -> None:
    try:
        run_backup(stage, say)
    except LabError as error:
        # The UI is where one finds out why, so it stays.
        say(f"{error}")
    say(f'\nWhat you can start: {stage.prefect.url}/v2/deployments?tags=["ops"]')
    say(f"The jobs on the hosts, live: {page.url}")
    say("\nThings to try")
    for number, (what, how) in enumerate(things_to_try(stage, company), 1):
        say(f"  {number}. {what}\n     {how}")
    say(f"\nThe UI is at {stage.prefect.url}. For a terminal: {write_environment(stage)}")
    say("Ctrl-C stops everything.")
    with contextlib.suppress(KeyboardInterrupt):
        stage.prefect.keep_workers(say)


def write_environment(stage: Stage) -> str:
    """Write down where this lab is, whatever port its server has; the command that reads it."""
    path = stage.directory / "env"
    known = {"REMOTEJOBS_INVENTORY": str(stage.inventory), "PREFECT_API_URL": stage.prefect.api_url}
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in known.items()))
    return f". {shlex.quote(str(path))}"


def things_to_try(stage: Stage, company: Company, workers: Sequence[str] = WORKERS) -> list[tuple[str, str]]:
    """What shows what this is for, and where to press or what to type for it."""
    forms = {each.name: f"{stage.prefect.url}/v2/deployments/deployment/{each.id}" for each in stage.api.deployments()}

    def filled(name: str, **given: Any) -> str:
        """The form for a run of a deployment, with these in place of what it has."""
        parameters = json.dumps({**company.parameters[name], **given})
        return f"{forms[name]}/run?parameters={quote(parameters, safe='')}"

    pids = ", ".join(f"{name} is {stage.prefect.worker_pid(name)}" for name in workers)
    killed = f".venv/bin/python -m lab.kill PID, where {pids}"
    return [
        ("See a job's output as it is written: Quick run, then click the job on the live page.", forms["build"]),
        (
            "Start a migration that waits for your approval: Quick run, then Resume on the run's page.",
            forms["migration"],
        ),
        (
            "Start a migration that fails: its data is wrong afterwards, and both hosts are rolled back.",
            filled("migration", commands=_FAILING, approval={"needed": False}),
        ),
        (
            f"Update the site behind HAProxy without losing a request: Quick run, and ask {company.site.haproxy.url}.",
            forms["rolling-update"],
        ),
        (
            f"Start five minutes of work, and kill the worker that has it: {killed}. The other one goes on with it.",
            filled("run-command", hosts="db1", command=_LONG, label="steps"),
        ),
        ("Back up again and cancel the run midway: each of its jobs ends, with proof.", forms["nightly-backup"]),
        (
            "Start a command without Prefect, and find it again.",
            f"remotejobs run all -i {stage.inventory} -P 0 -- sleep 60",
        ),
    ]


if __name__ == "__main__":
    # The runs of its workers say where their jobs are seen live.
    place = port_or_free(USUAL_PORT)
    server = partial(PrefectServer, settings={"REMOTEJOBS_WEB_URL": url_at(place)})
    opened = partial(open_stage, prefect=server, workers=WORKERS, recovery=True)
    sys.exit(perform("lab", partial(stay, port=place), opened=opened))
