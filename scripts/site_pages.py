"""What `make docs` adds to docs/: the documents at the top of the checkout, the command line's help, and working links.

Links are written as GitHub follows them, from file to file. On the site, a link to a document leads to its page. A link
to any other file of the checkout becomes plain text, or leads to `repo_url` if mkdocs.yml names one. A link to a file
that does not exist is a warning, and a warning fails the build.
"""

from __future__ import annotations

import logging
import os
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from mkdocs.structure.files import File

from remotejobs.cli.main import build_parser

PROJECT = Path(__file__).resolve().parents[1]
DOCS = "docs/"
PAGES = {
    "ARCHITECTURE.md": "explanation/architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
}
HELP = "<!-- help -->\n"

_FILES = {page: file for file, page in PAGES.items()}
_FENCED = re.compile(r"^( *(?:```|~~~).*?^ *(?:```|~~~)$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^]]*)\]\((?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")

log = logging.getLogger(f"mkdocs.plugins.{__name__}")


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each document at the top. mkdocs calls this once it has listed docs/."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(PROJECT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: object) -> str:
    """Rewrite the links and insert the help. mkdocs calls this for each page before it renders it."""
    path: str = page.file.src_uri
    source = _FILES.get(path, DOCS + path)
    parts = _FENCED.split(markdown)  # text and fenced code take turns; code is left alone
    parts[::2] = [_LINK.sub(lambda link: _on_site(link, source, path, config.repo_url), part) for part in parts[::2]]
    text = "".join(parts)
    return text.replace(HELP, "\n".join(_help())) if HELP in text else text


def _on_site(link: re.Match[str], source: str, page: str, repo_url: str | None) -> str:
    if ":" in link["path"]:
        return link[0]
    target = normpath(join(dirname(source), link["path"]))
    if not (PROJECT / target).exists():
        log.warning("%s links to %s, which does not exist", source, link["path"])
        return link["text"]
    if target.startswith(DOCS):
        to = target.removeprefix(DOCS)
    elif target in PAGES:
        to = PAGES[target]
    elif repo_url:
        return f"[{link['text']}]({repo_url.rstrip('/')}/blob/HEAD/{target})"
    else:
        return link["text"]
    return f"{link['image']}[{link['text']}]({relpath(to, dirname(page) or '.')}{link['anchor'] or ''})"


def _help() -> Iterator[str]:
    """What `--help` prints, for the command, each subcommand, and each action that one of these has."""
    os.environ.update(COLUMNS="100", NO_COLOR="1")  # argparse reads both
    parser = build_parser()
    yield _section("remotejobs", parser)
    for name, subcommand in _subcommands(parser).items():
        yield _section(name, subcommand)
        for action, its_parser in _subcommands(subcommand).items():
            yield _section(f"{name} {action}", its_parser)


def _section(name: str, parser: ArgumentParser) -> str:
    return f"## {name}\n\n```text\n{parser.format_help()}```\n"


def _subcommands(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    return next((action.choices for action in parser._actions if isinstance(action.choices, dict)), {})
