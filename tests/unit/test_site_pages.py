"""Links of the documents: written as GitHub follows them, turned into those of the site."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from remotejobs.cli.main import build_parser
from scripts.site_pages import on_page_markdown


def on_site(markdown: str, page: str = "how-to/flows.md", repo_url: str | None = None) -> str:
    there = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    return on_page_markdown(markdown, page=there, config=SimpleNamespace(repo_url=repo_url))


@pytest.mark.parametrize(
    ("page", "link", "leads_to"),
    [
        ("how-to/flows.md", "scale.md#a-run-in-shards", "scale.md#a-run-in-shards"),
        ("how-to/flows.md", "../../ARCHITECTURE.md#glossary", "../explanation/architecture.md#glossary"),
        ("index.md", "docs/images/nightly-backup.png", "images/nightly-backup.png"),
        ("explanation/architecture.md", "docs/how-to/flows.md", "../how-to/flows.md"),
        ("changelog.md", "docs/how-to/flows.md#the-nightly-backup", "how-to/flows.md#the-nightly-backup"),
    ],
)
def test_a_link_to_a_document_leads_to_its_page(page: str, link: str, leads_to: str) -> None:
    assert on_site(f"see [it]({link}).", page) == f"see [it]({leads_to})."


def test_a_link_to_another_file_is_text_or_leads_to_the_repository() -> None:
    link = "[`upgrade`](../../flows/upgrade.py)"
    assert on_site(link) == "`upgrade`"
    assert (
        on_site(link, repo_url="https://example.org/x/")
        == "[`upgrade`](https://example.org/x/blob/HEAD/flows/upgrade.py)"
    )


def test_a_link_that_leads_nowhere_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        on_site("[gone](gone.md)")
    assert caplog.messages == ["docs/how-to/flows.md links to gone.md, which does not exist"]


@pytest.mark.parametrize("text", ["[x](https://example.org/a.md)", "[x](#anchor)", "```\n[x](gone.md)\n```"])
def test_addresses_anchors_and_code_stay_as_they_are(text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert on_site(text) == text
    assert not caplog.messages


def test_the_help_has_a_section_for_every_subcommand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "")
    page = on_site("<!-- help -->\n")
    names = next(each.choices for each in build_parser()._actions if isinstance(each.choices, dict))
    heads = [line[3:] for line in page.splitlines() if line.startswith("## ")]
    assert [head for head in heads if not head.startswith(("backups ", "lock "))] == ["remotejobs", *names]
    assert [head for head in heads if head.startswith("backups ")] == [
        f"backups {action}" for action in ("list", "verify", "restore")
    ]
    assert "usage: remotejobs run PATTERN" in page
