"""What a form says to a person who filled in something else than it wants: words, not a pattern alone."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from lab.demos.stage import Stage
from lab.runs import deployment
from lab.screenshots.pictures import browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("run-command", {"job": {"chdir": "srv/app"}}, "an absolute path"),
        ("download", {"url": "ftp.example.com/x"}, "a URL that begins with http://, https:// or ftp://"),
        ("restore", {"restore": {"item": "a b", "to": "~/back"}}, "a name of up to 60 letters"),
    ],
)
def test_what_is_filled_in_wrongly_is_refused_in_words_and_starts_no_run(
    stage: Stage, name: str, given: dict[str, object], words: str
) -> None:
    wanted = deployment(stage.api, name)
    parameters = quote(json.dumps({**wanted.parameters, **given}), safe="")
    with browser(graphs=False) as page:
        page.goto(f"{stage.prefect.url}/v2/deployments/deployment/{wanted.id}/run?parameters={parameters}")
        before = len(stage.api.runs_of(wanted))
        page.get_by_role("button", name="Submit").click(timeout=120_000)
        expect(page.get_by_text(words).first).to_be_visible(timeout=120_000)
    assert len(stage.api.runs_of(wanted)) == before
