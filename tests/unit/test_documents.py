"""The documents: every file that the project names in docs/ is there, and the reference leaves nothing public out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

import remotejobs
import remotejobs.prefect

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"(?<![\w./-])docs/[\w/.-]+\.(?:md|png)\b")


def test_every_document_that_a_file_names_is_there() -> None:
    command = ["git", "-C", str(ROOT), "grep", "-I", "-h", "-o", "-E", "(^|[^[:alnum:]_./-])docs/[[:alnum:]_/.-]+"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    named = {name for line in said.splitlines() for name in NAMED.findall(line)}
    assert {"docs/how-to/deployment.md", "docs/images/nightly-backup.png"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize(("page", "package"), [("prefect.md", remotejobs.prefect), ("python.md", remotejobs)])
def test_the_reference_has_every_public_name(page: str, package: ModuleType) -> None:
    text = (ROOT / "docs" / "reference" / page).read_text()
    names = re.findall(rf"^::: {re.escape(package.__name__)}\.(\w+)$", text, re.MULTILINE)
    assert sorted(names) == sorted(package.__all__)
