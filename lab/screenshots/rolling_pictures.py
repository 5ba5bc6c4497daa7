"""The pictures of docs/how-to/rolling-update.md, from Prefect's UI: `python -m lab.screenshots.rolling_pictures`."""

from __future__ import annotations

import sys

from playwright.sync_api import Page

from lab.demos.rolling_demo import say, update
from lab.demos.site_stage import SiteStage, open_site_for_people
from lab.load import Load
from lab.process import LabError
from lab.runs import await_end, deployment, start
from lab.screenshots.approval_ui import RunPage
from lab.screenshots.pictures import IMAGES, RUN_IS_SHOWN, browser, picture, url_of_run, url_of_table


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
    """Pictures of a bad version that was reverted, a good update and its table, the gate of a third, and the form."""
    _, bad = update(stage, "bad-3.0", "Reverted", canary=1, serial="50%", revert="updated")
    _, good = update(stage, "2.0", "Completed", canary=1, serial="50%")
    form = deployment(stage.api, "rolling-update")
    url = stage.prefect.url
    with browser() as page:
        picture(page, url_of_run(url, bad), RUN_IS_SHOWN, IMAGES / "rolling-reverted.png")
        picture(page, url_of_run(url, good), RUN_IS_SHOWN, IMAGES / "rolling-update.png")
        table = max(stage.api.tables(good), key=lambda each: each.created)
        picture(page, url_of_table(url, table), "version before", IMAGES / "rolling-table.png")
        pass_gate(stage, page)
    with browser(height=1700) as page:
        page.goto(f"{url}/v2/deployments/deployment/{form.id}/run")
        page.get_by_text("Version to deploy").first.wait_for(timeout=60_000)
        page.get_by_text("Hosts to update").first.evaluate("field => field.scrollIntoView()")  # past the login
        page.screenshot(path=IMAGES / "rolling-form.png")


def pass_gate(stage: SiteStage, page: Page) -> None:
    """An update that waits behind its canary until a person has read the canary's figures and agrees."""
    plan = stage.parameters("2.1", canary=1, serial=3, soak=5)
    with Load(stage.site.haproxy.url, stage.directory / "load"):
        run = start(stage.api, "rolling-update", {**plan, "gate": {"needed": True}})
        person = RunPage(page, stage.prefect.url, IMAGES, kind="rolling", asked="Update the other")
        person.open_run(run.id)
        person.keep_waiting(run.id)
        person.answer(approve=True, reason="error rate and latency as before")
        ended = await_end(stage.api, run)
    if ended.state is None or ended.state.name != "Completed":
        raise LabError(f"the update with a gate ended as {ended.state}")


if __name__ == "__main__":
    sys.exit(main())
