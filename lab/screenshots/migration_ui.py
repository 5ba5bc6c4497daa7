"""A person's way through a migration in Prefect's UI, for a test and for the pictures of the docs."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

from playwright.sync_api import Locator, Page

from lab.process import LabError
from lab.screenshots.approval_ui import BUSY, PRESSES, RunPage


class MigrationPage(RunPage):
    """One browser page. Each step keeps a picture in `pictures`, named for it."""

    def __init__(self, page: Page, url: str, pictures: Path) -> None:
        super().__init__(page, url, pictures, kind="migration", asked="migrate, for at most")

    def open_form(self) -> None:
        """From the list of deployments to the run form of the migration."""
        self._page.goto(f"{self._url}/")  # whichever UI the server opens
        self._page.get_by_role("link", name="Deployments").click()
        # It is on the first page. Its flow is called the same, and has a link in the same row.
        its_own = self._page.locator('a[href*="/deployment/"]')
        self._page.get_by_role("link", name="migration", exact=True).and_(its_own).first.click()
        self._page.get_by_role("button", name="Run", exact=True).click()
        self._page.get_by_role("menuitem", name="Custom run").click()
        self._field("hosts").wait_for()

    def fill(self, label: str, value: str) -> None:
        """Fill the field of the form that has this label."""
        self._field(label).fill(value)

    def open_group(self, name: str) -> None:
        """Open a group of fields that is closed, by what it is called beside None."""
        self._page.get_by_role("tab", name=name, exact=True).click()

    def submit(self) -> UUID:
        """Start the run and open its page; its id."""
        self._field("hosts").scroll_into_view_if_needed()
        self._keep("migration-form")
        # The page links to a run only as long as no worker has taken it; the answer names it for certain.
        for _ in range(PRESSES):
            with self._page.expect_response("**/create_flow_run") as answer:
                self._page.get_by_role("button", name="Submit").click()
            if answer.value.status != BUSY:
                break
        if not answer.value.ok:
            raise LabError(f"the server started no run: {answer.value.status} {answer.value.text()}")
        run = UUID(answer.value.json()["id"])
        self.open_run(run)
        return run

    def answer_without_choosing(self) -> str:
        """Press the blue button at once; what the page answers."""
        dialog = self.open_question()
        self._press(dialog)
        refusal = self._page.locator("[data-sonner-toast]").filter(has_text="required")
        words = refusal.inner_text()
        dialog.get_by_role("button", name="Cancel").click()
        return words

    def await_outcome(self, run: UUID, name: str) -> str:
        """Watch the run until the badge of its last state says `name`; the message of that state."""
        self._page.get_by_text(name, exact=True).first.wait_for()
        # What the run logged last comes a little later, and so do the ends of its task runs.
        self.open_run(run)
        self._page.get_by_text("Oldest to newest").wait_for()
        self._page.wait_for_load_state("networkidle")
        self._keep("migration-run")
        self.open_run(run, "Details")
        message = self._page.locator("dt", has_text="State Message").locator("xpath=following-sibling::dd[1]")
        return message.inner_text()

    def read_report(self, run: UUID) -> str:
        """The report, as it is shown."""
        self.open_run(run, "Artifacts")
        self._page.get_by_role("link").filter(has_text="migration").last.click()
        self._page.get_by_text("What to do next").first.wait_for()
        self._keep("migration-report")
        return self._page.locator("main").last.inner_text()

    def _field(self, label: str) -> Locator:
        """The field of that name, whether it is optional or not."""
        return self._page.get_by_label(re.compile(f"^{label}( \\(Optional\\))?$")).last
