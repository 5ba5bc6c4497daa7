"""Why a run failed, in the UI: three clicks from the first page show host, reason, last lines and what to do.

So it is for each kind of failure, without scrolling in a window of a usual size; and what became of the jobs of a
cancelled run is shown at the same place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lab.demos.stage import Stage
from lab.runs import await_end, await_state, deployment
from lab.screenshots.pictures import browser
from lab.servers.prefect.api import RunStatus
from tests.awaiting import await_true

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HEIGHT = 900  # pixels of a window on a screen of 1080
OFTEN = {"delay": 1, "retries": 100}
LOCKED = {"locks": ["one-at-a-time"]}
SHOWN = {
    "job failed": ["1 of 1 failed", "on db1: failed, rc 3", "Its output: remotejobs log db1 ", "disk full"],
    "timed out": [
        "on db1: timed_out",
        "time limit of 2 s exceeded",
        "proven empty",
        "Its output: remotejobs log db1 ",
        "half",
    ],
    "unreachable": ["1 of 1 unreachable", "on gone: nothing listens at 127.0.0.1 port 1", "Check that sshd runs there"],
    "wrong pattern": ["'nowhere*' matches no host", "shows the hosts and groups that a pattern can name"],
    "missing inventory": ["/nowhere/hosts.yml: cannot be read", "Check the path"],
    "lock": [
        "on db1: timed_out",
        "it waited for lock one-at-a-time, held by command.",
        "What runs there: remotejobs list db1 ",
    ],
    "cancelled": [
        "None of its 1 job runs any more",
        "killed after",
        "its process tree is proven empty",
    ],
}
KEYS = {"cancelled": "cancelled"}  # of the artifacts that say it
FAILED = [kind for kind in SHOWN if kind != "cancelled"]


@pytest.fixture(scope="module")
def failed(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunStatus]:
    """A run for each kind of failure; all have ended."""
    gone = tmp_path_factory.mktemp("inventory") / "gone.yml"
    gone.write_text("all: {hosts: {gone: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    start(stage, "db1", "sleep 600", job=LOCKED, until={"delay": 0})
    runs = {
        "job failed": start(stage, "db1", "echo disk full >&2; exit 3"),
        "timed out": start(stage, "db1", "echo half; sleep 600", job={"timeout": 2}),
        "unreachable": start(stage, "gone", "true", inventory=gone, until={"delay": 1, "retries": 0}),
        "wrong pattern": start(stage, "nowhere*", "true"),
        "missing inventory": start(stage, "all", "true", inventory=Path("/nowhere/hosts.yml")),
        "lock": start(stage, "db1", "true", job={**LOCKED, "queue_timeout": 2}),
    }
    ends = {kind: await_end(stage.api, run) for kind, run in runs.items()}
    return {**ends, "cancelled": cancelled(stage, start(stage, "db1", "echo half; sleep 600"))}


def cancelled(stage: Stage, run: RunStatus) -> RunStatus:
    """The run, once it was cancelled while its job ran; the worker's words come first, and ours in their place."""
    await_true(lambda: any("last line: half" in line for line in stage.api.log(run)))
    stage.api.cancel(run)
    return await_state(stage.api, run, lambda now: now.final and "\n" in ((now.state and now.state.message) or ""))


def start(stage: Stage, hosts: str, command: str, *, inventory: Path | None = None, **more: object) -> RunStatus:
    given = {"access": {"inventory": str(inventory or stage.inventory)}, "hosts": hosts, "command": command}
    run = stage.api.run(deployment(stage.api, "run-command"), {**given, "until": OFTEN, **more})
    if more.get("until") == {"delay": 0}:
        await_end(stage.api, run)
    return run


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser(height=HEIGHT, graphs=False) as page:
        page.set_default_timeout(120_000)
        yield page


@pytest.mark.parametrize("kind", SHOWN)
def test_three_clicks_and_no_scrolling_show_host_reason_last_lines_and_what_to_do(
    stage: Stage, failed: dict[str, RunStatus], page: Page, kind: str
) -> None:
    run = failed[kind]
    page.goto(f"{stage.prefect.url}/")  # whichever UI the server opens
    page.get_by_role("link", name="Runs", exact=True).click()
    page.locator(f"a[href*='{run.id}']").first.click()
    page.get_by_role("tab", name="Artifacts").click()
    card = page.get_by_role("link").filter(has_text=KEYS.get(kind, "why-it-failed")).first
    # Playwright would scroll by itself before the click.
    expect(card).to_be_in_viewport(ratio=1, timeout=120_000)
    card.click()
    for words in SHOWN[kind]:
        expect(page.get_by_text(words).first).to_be_in_viewport(timeout=120_000)


@pytest.mark.parametrize("kind", SHOWN)
def test_the_state_of_the_run_says_the_same_in_one_paragraph(
    stage: Stage, failed: dict[str, RunStatus], page: Page, kind: str
) -> None:
    run = failed[kind]
    assert run.state and run.state.name == ("Cancelled" if kind == "cancelled" else "Failed")
    page.goto(f"{stage.prefect.url}/v2/runs/flow-run/{run.id}?tab=Details")
    message = page.locator("dt", has_text="State Message").locator("xpath=following-sibling::dd[1]")
    expect(message).to_contain_text(SHOWN[kind][0], timeout=120_000)
    words = " ".join(message.inner_text().split())
    assert [part for part in SHOWN[kind] if part not in words] == []


@pytest.mark.parametrize("kind", FAILED)
def test_the_log_of_a_failed_run_has_no_traceback_and_one_line_of_the_flow_that_says_why(
    stage: Stage, failed: dict[str, RunStatus], kind: str
) -> None:
    log = stage.api.log(failed[kind])
    assert not any("Traceback" in line for line in log)
    assert any(SHOWN[kind][0] in line for line in log)
