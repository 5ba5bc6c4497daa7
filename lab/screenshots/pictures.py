"""`make pictures`: run the nightly backup in the lab and take the README's pictures of it from Prefect's own UI."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from lab.demos.backup import run_backup
from lab.demos.demo import perform, say
from lab.demos.stage import Stage
from lab.servers.prefect.api import Artifact, RunStatus
from lab.servers.prefect.server import PROJECT

IMAGES = PROJECT / "docs" / "images"
# The page of a run opens on its log; its graph is a canvas, without a text to wait for.
RUN_IS_SHOWN = "All deployment steps completed"
_DRAWN = 8_000  # milliseconds, on a machine that has other work
CHROMIUM = "/usr/bin/chromium"
# Nothing but the page itself: Chromium's own calls have nowhere to go.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def browser(width: int = 1280, height: int = 900, *, graphs: bool = True) -> Iterator[Page]:
    """A page of a real, headless Chromium. Prefect's graphs of runs are drawn by WebGL, here by the processor."""
    args = QUIET if graphs else [*QUIET, "--disable-3d-apis"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        try:
            yield chromium.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        finally:
            chromium.close()


def picture(page: Page, url: str, shows: str, path: Path) -> None:
    """Open `url`, wait until it shows that text and the graph of a run, and keep a picture."""
    page.goto(url)
    page.get_by_text(shows).first.wait_for(timeout=60_000)
    if shows == RUN_IS_SHOWN:
        await_graph(page)
    page.wait_for_load_state("networkidle")
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)


def await_graph(page: Page) -> None:
    """Wait until the graph of a run is there, and has moved into its place."""
    page.locator("canvas").first.wait_for(timeout=60_000)
    page.wait_for_timeout(_DRAWN)


def url_of_run(url: str, run: RunStatus) -> str:
    return f"{url}/v2/runs/flow-run/{run.id}"


def url_of_table(url: str, table: Artifact) -> str:
    return f"{url}/v2/artifacts/artifact/{table.id}"


def take(stage: Stage) -> None:
    run = run_backup(stage, say)
    table = max(stage.api.tables(run), key=lambda each: each.created)
    with browser() as page:
        picture(page, url_of_run(stage.prefect.url, run), RUN_IS_SHOWN, IMAGES / "nightly-backup.png")
        page.set_viewport_size({"width": 1280, "height": 760})  # what is below is empty
        picture(page, url_of_table(stage.prefect.url, table), "restore-tested", IMAGES / "nightly-backup-table.png")
    say(f"Pictures are in {IMAGES}")


if __name__ == "__main__":
    sys.exit(perform("taking of pictures", take))
