"""A person's way to a run that waits for approval and to its answer, in Prefect's UI."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from playwright.sync_api import Locator, Page

from lab.screenshots.pictures import await_graph

PRESSES = 5  # of a button, by a person whom the UI shows that the server is busy
BUSY = 503  # of a server whose SQLite is locked
_WAIT = 120_000  # milliseconds: the worker has to start a process twice


class RunPage:
    """One browser page, for runs that ask what begins with the words `asked`; pictures are named for their `kind`."""

    def __init__(self, page: Page, url: str, pictures: Path, *, kind: str, asked: str) -> None:
        self._page = page
        self._url = url
        self._pictures = pictures
        self._kind = kind
        self._asked = asked
        page.set_default_timeout(_WAIT)
        pictures.mkdir(parents=True, exist_ok=True)

    def open_run(self, run: UUID, tab: str = "Logs") -> None:
        self._page.goto(f"{self._url}/v2/runs/flow-run/{run}?tab={tab}")

    def await_question(self) -> None:
        """Wait, on the page of the run, until it says that it waits for a person."""
        self._page.get_by_text("(waits for approval)").first.wait_for()

    def open_question(self) -> Locator:
        """What the run asks, when it does; its page is open."""
        self.await_question()
        self._page.get_by_role("button", name="Open menu").last.click()
        self._page.get_by_role("menuitem", name="Resume").click()
        dialog = self._page.get_by_role("dialog")
        dialog.get_by_text(self._asked).first.wait_for()
        return dialog

    def answer(self, *, approve: bool, reason: str) -> str:
        """Wait until the run waits for a person, read what it says, and answer; returns what was read."""
        dialog = self.open_question()
        said = dialog.inner_text()
        dialog.get_by_text("Select", exact=True).click()
        self._page.get_by_role("option", name="approve" if approve else "refuse").click()
        dialog.get_by_label("Why").fill(reason)
        self._keep(f"{self._kind}-approval")
        self._press(dialog)
        dialog.wait_for(state="hidden")
        return said

    def keep_waiting(self, run: UUID) -> None:
        """A picture of the page of a run that waits, with what its state says."""
        self.await_question()
        size = self._page.viewport_size
        self._page.set_viewport_size({"width": 1280, "height": 1200})  # its message is far down
        self.open_run(run, "Details")
        self._page.get_by_text("Waits for approval until").first.wait_for()
        self._page.locator('main a[href*="/flows/flow/"]').first.wait_for()  # it comes later
        await_graph(self._page)
        self._keep(f"{self._kind}-waits")
        if size:
            self._page.set_viewport_size(size)

    def _press(self, dialog: Locator) -> None:
        for _ in range(PRESSES):
            with self._page.expect_response("**/resume") as answer:
                dialog.get_by_role("button", name="Resume", exact=True).click()
            if answer.value.status != BUSY:
                break

    def _keep(self, name: str) -> None:
        self._page.screenshot(path=self._pictures / f"{name}.png", animations="disabled")
