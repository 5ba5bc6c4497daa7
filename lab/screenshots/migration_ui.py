"""A person's way through a migration in Prefect's UI, for a test and for the pictures of the docs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from uuid import UUID

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as TookTooLong

from lab.process import LabError

_PRESSES = 5  # of a button, by a person whom the UI shows that the server is busy
_BUSY = 503  # of a server whose SQLite is locked
_WAIT = 120_000  # milliseconds: the worker has to start a process twice


class MigrationPage:
    """One browser page. Each step keeps a picture in `pictures`, named for it."""

    def __init__(self, page: Page, url: str, pictures: Path) -> None:
        self._page = page
        self._url = url
        self._pictures = pictures
        page.set_default_timeout(_WAIT)
        pictures.mkdir(parents=True, exist_ok=True)

    def open_form(self) -> None:
        """From the list of deployments to the run form of the migration."""
        self._page.goto(f"{self._url}/deployments")
        self._page.get_by_role("link", name="migration", exact=True).last.click()
        self._page.get_by_role("button", name="Run", exact=True).click()
        self._page.get_by_text("Custom run").click()
        self._field("Hosts to migrate").wait_for()

    def fill(self, description: str, value: str) -> None:
        """Fill the field of the form that has this description."""
        self._field(description).fill(value)

    def submit(self) -> UUID:
        """Start the run and open its page; its id."""
        self._property("Hosts to migrate").evaluate("part => part.scrollIntoView()")
        self._keep("migration-form")
        # The page links to a run only as long as no worker has taken it; the answer names it for certain.
        for _ in range(_PRESSES):
            with self._page.expect_response("**/create_flow_run") as answer:
                self._page.get_by_role("button", name="Submit").click()
            if answer.value.status != _BUSY:
                break
        if not answer.value.ok:
            raise LabError(f"the server started no run: {answer.value.status} {answer.value.text()}")
        run = UUID(answer.value.json()["id"])
        self._page.goto(f"{self._url}/runs/flow-run/{run}")
        return run

    def answer(self, *, approve: bool, reason: str) -> None:
        """Wait until the run waits for a person, read what it says, and answer."""
        self._page.get_by_role("button", name="Resume").click()
        dialog = self._page.locator(".p-modal")
        dialog.get_by_text("migrate, for at most").wait_for()
        if approve:
            self._property("Go ahead?").get_by_role("switch").click()
        self._field("Why; it is kept").fill(reason)
        self._keep("migration-approval")
        while dialog.is_visible():
            dialog.get_by_role("button", name="Submit").click()
            with suppress(TookTooLong):  # a busy server may not take it; then one clicks again
                dialog.wait_for(state="hidden", timeout=_WAIT / 4)

    def await_outcome(self, name: str) -> None:
        """Watch the run until the badge of its last state says `name`."""
        self._page.locator(".state-badge").get_by_text(name, exact=True).first.wait_for()
        # What the run logged last comes a little later, and so do the ends of its task runs.
        self._page.get_by_text(f"{name}: ").first.wait_for()
        self._page.reload()
        self._page.wait_for_load_state("networkidle")
        self._keep("migration-run")

    def read_report(self) -> str:
        """The report, as it is shown."""
        self._page.get_by_text("Artifacts", exact=True).first.click()
        self._page.locator("a[href*='/artifacts/']").filter(has_text="migration").first.click()
        report = self._page.locator(".markdown-renderer").last
        report.get_by_text("What to do next").wait_for()
        self._keep("migration-report")
        return report.inner_text()

    def _field(self, description: str) -> Locator:
        return self._property(description).locator("textarea, input").first

    def _property(self, description: str) -> Locator:
        """The innermost part of a form with that description; labels are not tied to their inputs there."""
        return self._page.locator(".schema-form-property").filter(has_text=description).last

    def _keep(self, name: str) -> None:
        self._page.screenshot(path=self._pictures / f"{name}.png", animations="disabled")
