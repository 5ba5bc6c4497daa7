"""The pictures of docs/how-to/rolling-update.md, from Prefect's UI: `python -m lab.screenshots.rolling_pictures`."""

from __future__ import annotations

import sys

from lab.demos.rolling_demo import say, update
from lab.demos.site_stage import SiteStage, open_site_for_people
from lab.process import LabError
from lab.runs import deployment
from lab.screenshots.pictures import IMAGES, browser, picture


def main() -> int:
    """The exit code: 0, or 1 with the reason on stderr."""
    try:
        with open_site_for_people(say) as stage:
            take(stage)
    except LabError as error:
        print(f"Taking the pictures failed: {error}", file=sys.stderr)
        return 1
    say(f"Pictures are in {IMAGES}")
    return 0


def take(stage: SiteStage) -> None:
    """Three pictures: a bad version that was reverted, the table of a good update, and the run form."""
    _, bad = update(stage, "bad-3.0", "Reverted", canary=1, serial="50%", revert="updated")
    _, good = update(stage, "2.0", "Completed", canary=1, serial="50%")
    form = deployment(stage.api, "rolling-update")
    url = stage.prefect.url
    with browser() as page:
        picture(page, f"{url}/runs/flow-run/{bad.id}", "revert web1", IMAGES / "rolling-reverted.png")
        picture(page, f"{url}/runs/flow-run/{good.id}", "update web1", IMAGES / "rolling-update.png")
        table = max(stage.api.tables(good), key=lambda each: each.created)
        picture(page, f"{url}/artifacts/artifact/{table.id}", "version before", IMAGES / "rolling-table.png")
    with browser(height=1700) as page:
        page.goto(f"{url}/deployments/deployment/{form.id}/run")
        page.get_by_text("Version to deploy").first.wait_for(timeout=60_000)
        page.get_by_text("Hosts to update").first.evaluate("field => field.scrollIntoView()")  # past the login
        page.screenshot(path=IMAGES / "rolling-form.png")


if __name__ == "__main__":
    sys.exit(main())
