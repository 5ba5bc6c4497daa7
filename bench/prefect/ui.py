"""What a person meets in Prefect's UI: how long the lists and forms are, and clicks and seconds of four journeys.

`--before CHECKOUT` measures the forms of an earlier checkout beside these. The journeys are walked in `make up`'s lab.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from playwright.sync_api import Locator, Page

from bench.documents import PROJECT, machine, put, say, table
from lab.demos.company import open_company
from lab.demos.stage import Stage, open_stage
from lab.ports import Port, free_ports
from lab.runs import await_end, deployment
from lab.screenshots.pictures import browser
from lab.servers.prefect.api import Deployment, PrefectApi
from lab.servers.prefect.server import PrefectServer
from lab.servers.web.live_page import LivePage

WIDTH = 1280  # pixels of the browser's window
FORMS = ("nightly-backup", "restore", "run-command", "migration", "rolling-update", "service", "upgrade")
_A_PAGE = 10  # deployments in Prefect's list
_WITHIN = 60_000  # milliseconds
# Each field also has a menu of its own, which nobody needs.
_CONTROLS = (
    "input:not([type=hidden]), textarea, button:not([aria-label='Open menu']):not([aria-haspopup=menu]), "
    "[contenteditable=true]"
)


@dataclass(frozen=True, slots=True)
class Form:
    """`controls` is what can be filled in or pressed, `height` the form's height in pixels."""

    controls: int
    height: int

    def __str__(self) -> str:
        return f"{self.controls} controls, {self.height:,} px"


@dataclass(frozen=True, slots=True)
class Lists:
    """How many deployments there are, and the forms of some, by name."""

    deployments: int
    forms: Mapping[str, Form]


@dataclass
class Walk:
    """A journey: what is clicked counts, and so does the time from its first page to its last words."""

    page: Page
    clicks: int = 0
    began: float = 0.0

    def open(self, address: str) -> None:
        self.began = time.perf_counter()
        self.page.goto(address)

    def click(self, what: Locator) -> None:
        what.click(timeout=_WITHIN)
        self.clicks += 1

    def see(self, what: Locator) -> None:
        what.wait_for(timeout=_WITHIN)

    def row(self, name: str) -> list[str]:
        return [name, str(self.clicks), f"{time.perf_counter() - self.began:.1f} s"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.prefect.ui", description=__doc__)
    parser.add_argument(
        "--before", type=Path, metavar="CHECKOUT", help="an earlier checkout, whose forms are measured too"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/explanation/benchmarks.md")
    options = parser.parse_args()
    now = lists_of(PROJECT)
    before = lists_of(options.before.resolve()) if options.before else None
    text = f"{machine('prefect')}.\n\n{_lists(before, now)}\n"
    print(text)
    journeys = _journeys()
    print(journeys)
    if options.write:
        put("ui", f"{text}\n{journeys}\n")


def lists_of(project: Path) -> Lists:
    """Of the deployments that a checkout declares."""
    say(f"the forms of {project}")
    with (
        tempfile.TemporaryDirectory(prefix="remotejobs-bench-") as name,
        PrefectServer(Path(name), port=free_ports(1)[0], project=project) as server,
    ):
        server.await_ready()
        with PrefectApi(server.api_url) as api, browser(WIDTH, graphs=False) as page:
            for entry in yaml.safe_load((project / "prefect.yaml").read_text())["deployments"]:
                api.make_pool(entry["work_pool"]["name"])
            server.deploy()
            found = api.deployments()
            forms = {each.name: _form(page, server.url, each) for each in found if each.name in FORMS}
    return Lists(len(found), forms)


def _form(page: Page, url: str, deployment: Deployment) -> Form:
    page.goto(f"{url}/v2/deployments/deployment/{deployment.id}/run")
    form = page.locator("form").filter(has=page.get_by_role("button", name="Submit"))
    form.get_by_label("hosts").or_(form.get_by_label("plan")).or_(form.get_by_text("plan")).first.wait_for(
        timeout=_WITHIN
    )
    page.wait_for_load_state("networkidle")
    box = form.bounding_box()
    assert box
    return Form(form.locator(_CONTROLS).count(), round(box["height"]))


def _lists(before: Lists | None, now: Lists) -> str:
    def cells(show: Callable[[Lists], str]) -> list[str]:
        return [show(before) if before else "", show(now)]

    def form(name: str) -> Callable[[Lists], str]:
        return lambda lists: str(lists.forms.get(name, ""))

    def pages(lists: Lists) -> str:
        return f"{lists.deployments}, {math.ceil(lists.deployments / _A_PAGE)} pages"

    rows = [
        ["deployments", *cells(pages)],
        *([f"form of `{name}`", *cells(form(name))] for name in FORMS),
    ]
    return table(("", "before", "now"), rows)


def _journeys() -> str:
    with _lab() as (stage, live), browser(WIDTH, graphs=False) as page:
        rows = [
            _start_a_command(Walk(page), stage),
            _see_why_it_failed(Walk(page), stage),
            _approve(Walk(page), stage),
            _follow_output(Walk(page), stage, live),
        ]
    return table(("journey", "clicks", "took"), rows)


@contextmanager
def _lab() -> Iterator[tuple[Stage, LivePage]]:
    port = Port()
    with (
        open_stage(say, workers=("lab-1", "lab-2")) as stage,
        open_company(stage, say),
        LivePage(stage.directory, port, stage.inventory, stage.prefect.api_url) as live,
    ):
        yield stage, live


def _start_a_command(walk: Walk, stage: Stage) -> list[str]:
    page = walk.page
    walk.open(f"{stage.prefect.url}/")
    walk.click(page.get_by_role("link", name="Deployments"))
    link = page.locator('a[href*="/deployment/"]').and_(page.get_by_role("link", name="run-command", exact=True))
    walk.click(page.get_by_role("button", name="Go to next page"))
    walk.click(link.first)
    walk.click(page.get_by_role("button", name="Run", exact=True))
    walk.click(page.get_by_role("menuitem", name="Quick run"))
    walk.click(page.get_by_role("dialog").get_by_role("button", name="Run", exact=True))
    walk.click(page.locator('a[href*="/runs/flow-run/"]').first)
    walk.see(page.get_by_text("Completed", exact=True).first)
    return walk.row("from the start page to the end of `uptime` on all hosts")


def _see_why_it_failed(walk: Walk, stage: Stage) -> list[str]:
    page = walk.page
    access = {"inventory": str(stage.inventory)}
    job: dict[str, object] = {"hosts": "db1", "command": "echo disk full >&2; exit 3", "until": {"delay": 1}}
    run = stage.api.run(deployment(stage.api, "run-command"), {"access": access, **job})
    await_end(stage.api, run)
    walk.open(f"{stage.prefect.url}/v2/runs")
    walk.click(page.locator(f"a[href*='{run.id}']").first)
    walk.click(page.get_by_role("tab", name="Details"))
    walk.see(page.get_by_text("disk full").first)
    return walk.row("from the list of runs to host, reason and last lines of a failed one")


def _approve(walk: Walk, stage: Stage) -> list[str]:
    page = walk.page
    run = stage.api.run(deployment(stage.api, "migration"))
    walk.open(f"{stage.prefect.url}/v2/runs/flow-run/{run.id}")
    walk.see(page.get_by_text("(waits for approval)").first)
    walk.began = time.perf_counter()
    walk.click(page.get_by_role("button", name="Open menu").last)
    walk.click(page.get_by_role("menuitem", name="Resume"))
    dialog = page.get_by_role("dialog")
    walk.click(dialog.get_by_text("Select", exact=True))
    walk.click(page.get_by_role("option", name="approve"))
    walk.click(dialog.get_by_role("button", name="Resume", exact=True))
    walk.see(page.get_by_text("Completed", exact=True).first)
    return walk.row("from a migration that waits for approval to its end")


def _follow_output(walk: Walk, stage: Stage, live: LivePage) -> list[str]:
    page = walk.page
    access = {"inventory": str(stage.inventory)}
    job: dict[str, object] = {"hosts": "db1", "command": "echo step 1; exec sleep 300", "label": "steps"}
    run = stage.api.run(deployment(stage.api, "run-command"), {"access": access, **job, "until": {"delay": 0}})
    await_end(stage.api, run)
    walk.open(live.url)
    walk.click(page.locator("#jobs").get_by_role("link", name="steps", exact=True).first)
    walk.see(page.locator("#stdout", has_text="step 1"))
    return walk.row("from opening the live page to the output of a job as it is written")


if __name__ == "__main__":
    main()
