"""A person's journeys in Prefect's UI and on the live page, walked by a program: clicks, and seconds.

They are walked in the lab: now as `make up` opens it, and before as far as that went, with one worker, without a site
behind HAProxy and without a live page.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml
from playwright.sync_api import Locator, Page

from bench.documents import PROJECT, say
from lab.demos.company import open_company
from lab.demos.plan import deployment_parameters
from lab.demos.stage import Stage, open_stage
from lab.ports import Port, free_ports
from lab.runs import await_end, deployment
from lab.screenshots.pictures import browser
from lab.servers.postgres import Postgres
from lab.servers.prefect.api import PrefectApi, RunStatus
from lab.servers.prefect.server import PrefectServer
from lab.servers.web.live_page import LivePage
from remotejobs.text import number_of

WIDTH, HEIGHT = 1280, 900  # pixels of the browser's window
A_PAGE = 10  # deployments in Prefect's list
WITHIN = 60_000  # milliseconds
_BUSY = 503  # of a server whose SQLite is locked
JOURNEYS = (
    "from the start page to the end of `uptime` on all hosts",
    "from the list of runs to host, reason and last lines of a failed one",
    "from a migration that waits for approval to its end",
    "from opening the live page to the output of a job as it is written",
    "lines in the log of a run whose inventory is missing",
    "of these, lines of tracebacks",
)


@dataclass
class Walk:
    """A journey: what is clicked counts, and so does the time from its first page to its last words."""

    page: Page
    clicks: int = 0
    began: float = 0.0
    scrolled: bool = False

    def open(self, address: str) -> None:
        self.began = time.perf_counter()
        self.page.goto(address)

    def click(self, what: Locator) -> None:
        what.click(timeout=WITHIN)
        self.clicks += 1

    def see(self, what: Locator) -> None:
        what.wait_for(timeout=WITHIN)
        box = what.bounding_box()
        self.scrolled = self.scrolled or box is None or box["y"] > HEIGHT

    @property
    def took(self) -> str:
        clicks = f"{number_of(self.clicks, 'click')}{' and scrolling' if self.scrolled else ''}"
        return f"{clicks}, {time.perf_counter() - self.began:.1f} s"


class ServerOf(PrefectServer):
    """The server for the deployments of a checkout, with every pool that its prefect.yaml names."""

    def __init__(self, directory: Path, *, project: Path) -> None:
        super().__init__(directory, port=free_ports(1)[0], project=project)

    def deploy(self) -> None:
        with PrefectApi(self.api_url) as api:
            for entry in yaml.safe_load((self.project / "prefect.yaml").read_text())["deployments"]:
                api.make_pool(entry["work_pool"]["name"])
        super().deploy()


def walked_in(project: Path) -> Mapping[str, str]:
    """What came of each journey in the lab of a checkout, by its name in `JOURNEYS`."""
    say(f"the journeys of {project}")
    with _lab(project) as (stage, live), browser(WIDTH, HEIGHT, graphs=False) as page:
        command, reason, approval, output, lines, traces = JOURNEYS
        found = {
            command: _start_a_command(Walk(page), stage),
            reason: _see_why_it_failed(Walk(page), stage, by_artifact=live is not None),
            approval: _approve(Walk(page), stage),
        }
        log = "\n".join(stage.api.log(_without_inventory(stage))).splitlines()
        found |= {lines: str(len(log)), traces: str(_of_tracebacks(log))}
        if live:
            found[output] = _follow_output(Walk(page), stage, live)
    return found


@contextmanager
def _lab(project: Path) -> Iterator[tuple[Stage, LivePage | None]]:
    with ExitStack() as stack:
        if project != PROJECT:
            server = partial(ServerOf, project=project)
            stage = stack.enter_context(open_stage(say, prefect=server, parameters=_walked))
            yield stage, None
            return
        stage = stack.enter_context(open_stage(say, workers=("lab-1", "lab-2")))
        stack.enter_context(open_company(stage, say))
        yield stage, stack.enter_context(LivePage(stage.directory, Port(), stage.inventory, stage.prefect.api_url))


def _walked(postgres: Postgres, inventory: Path) -> dict[str, dict[str, object]]:
    """Those of the deployments that the journeys start; others have parameters now that they did not take before."""
    every = deployment_parameters(postgres, inventory)
    return {name: every[name] for name in ("run-command", "migration")}


def _start_a_command(walk: Walk, stage: Stage) -> str:
    page = walk.page
    walk.open(f"{stage.prefect.url}/")
    walk.click(page.get_by_role("link", name="Deployments"))
    link = page.locator('a[href*="/deployment/"]').and_(page.get_by_role("link", name="run-command", exact=True))
    names = sorted(each.name for each in stage.api.deployments())
    for _ in range(names.index("run-command") // A_PAGE):
        walk.click(page.get_by_role("button", name="Go to next page"))
    walk.click(link.first)
    walk.click(page.get_by_role("button", name="Run", exact=True))
    walk.click(page.get_by_role("menuitem", name="Quick run"))
    with page.expect_response("**/create_flow_run") as answer:
        walk.click(page.get_by_role("dialog").get_by_role("button", name="Run", exact=True))
    while answer.value.status == _BUSY:  # which the page calls an unknown error
        with page.expect_response("**/create_flow_run") as answer:
            walk.click(page.get_by_role("dialog").get_by_role("button", name="Run", exact=True))
    walk.click(page.locator('a[href*="/runs/flow-run/"]').first)
    walk.see(page.get_by_text("Completed", exact=True).first)
    return walk.took


def _see_why_it_failed(walk: Walk, stage: Stage, *, by_artifact: bool) -> str:
    page = walk.page
    run = _ended(stage, hosts="db1", command="echo disk full >&2; exit 3", until={"delay": 1})
    walk.open(f"{stage.prefect.url}/v2/runs")
    walk.click(page.locator(f"a[href*='{run.id}']").first)
    if by_artifact:
        walk.click(page.get_by_role("tab", name="Artifacts"))
        walk.click(page.get_by_role("link").filter(has_text="why-it-failed").first)
    else:
        walk.click(page.get_by_role("tab", name="Details"))
    walk.see(page.get_by_text("disk full").first)
    return walk.took


def _approve(walk: Walk, stage: Stage) -> str:
    page = walk.page
    run = stage.api.run(deployment(stage.api, "migration"))
    walk.open(f"{stage.prefect.url}/v2/runs/flow-run/{run.id}")
    walk.see(page.get_by_text("Suspended", exact=True).first)
    walk.began = time.perf_counter()
    walk.click(page.get_by_role("button", name="Open menu").last)
    walk.click(page.get_by_role("menuitem", name="Resume"))
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("migrate, for at most").wait_for()
    switch, choice = dialog.get_by_role("switch"), dialog.get_by_text("Select", exact=True)
    switch.or_(choice).first.wait_for(timeout=WITHIN)
    if switch.count():  # as it was asked before
        walk.click(switch.first)
    else:
        walk.click(choice)
        walk.click(page.get_by_role("option", name="approve"))
    walk.click(dialog.get_by_role("button", name="Resume", exact=True))
    walk.see(page.get_by_text("Completed", exact=True).first)
    return walk.took


def _follow_output(walk: Walk, stage: Stage, live: LivePage) -> str:
    page = walk.page
    _ended(stage, hosts="db1", command="echo step 1; exec sleep 300", label="steps", until={"delay": 0})
    walk.open(live.url)
    walk.click(page.locator("#jobs").get_by_role("link", name="steps", exact=True).first)
    walk.see(page.locator("#stdout", has_text="step 1"))
    return walk.took


def _without_inventory(stage: Stage) -> RunStatus:
    return _ended(stage, access={"inventory": "/nowhere/hosts.yml"}, hosts="all", command="true")


def _ended(stage: Stage, **given: object) -> RunStatus:
    """A run of `run-command`, when it has ended."""
    access = {"inventory": str(stage.inventory)}
    return await_end(stage.api, stage.api.run(deployment(stage.api, "run-command"), {"access": access, **given}))


def _of_tracebacks(log: list[str]) -> int:
    """How many lines are indented, as those of tracebacks are, or begin one."""
    return sum(line.startswith(("  ", "Traceback ")) for line in log)
