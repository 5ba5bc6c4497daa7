"""What a person meets in Prefect's UI: how long the lists and forms are, and clicks and seconds of four journeys.

`--before CHECKOUT` measures an earlier checkout beside this one.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from bench.documents import PROJECT, machine, put, say, table
from bench.prefect.journeys import A_PAGE, JOURNEYS, WIDTH, WITHIN, ServerOf, walked_in
from lab.screenshots.pictures import browser
from lab.servers.prefect.api import Deployment, PrefectApi

FORMS = ("nightly-backup", "restore", "run-command", "migration", "rolling-update", "service", "upgrade")
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.prefect.ui", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="an earlier checkout, which is measured too")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/explanation/benchmarks.md")
    options = parser.parse_args()
    now = lists_of(PROJECT)
    earlier = options.before.resolve() if options.before else None
    before = lists_of(earlier) if earlier else None
    text = f"{machine('prefect')}.\n\n{_lists(before, now)}\n"
    print(text)
    journeys = _journeys(walked_in(earlier) if earlier else {}, walked_in(PROJECT))
    print(journeys)
    if options.write:
        put("ui", f"{text}\n{journeys}\n")


def lists_of(project: Path) -> Lists:
    """Of the deployments that a checkout declares."""
    say(f"the forms of {project}")
    with (
        tempfile.TemporaryDirectory(prefix="remotejobs-bench-") as name,
        ServerOf(Path(name), project=project) as server,
    ):
        server.await_ready()
        with PrefectApi(server.api_url) as api, browser(WIDTH, graphs=False) as page:
            server.deploy()
            found = api.deployments()
            forms = {each.name: _form(page, server.url, each) for each in found if each.name in FORMS}
    return Lists(len(found), forms)


def _form(page: Page, url: str, deployment: Deployment) -> Form:
    page.goto(f"{url}/v2/deployments/deployment/{deployment.id}/run")
    form = page.locator("form").filter(has=page.get_by_role("button", name="Submit"))
    form.get_by_label("hosts").or_(form.get_by_label("plan")).or_(form.get_by_text("plan")).first.wait_for(
        timeout=WITHIN
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
        return f"{lists.deployments}, {math.ceil(lists.deployments / A_PAGE)} pages"

    rows = [
        ["deployments", *cells(pages)],
        *([f"form of `{name}`", *cells(form(name))] for name in FORMS),
    ]
    return table(("", "before", "now"), rows)


def _journeys(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    rows = [[name, before.get(name, ""), now.get(name, "")] for name in JOURNEYS]
    return table(("journey", "before", "now"), rows)


if __name__ == "__main__":
    main()
