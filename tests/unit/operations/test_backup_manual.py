"""Every plan and every restore that the manual shows is accepted as it stands there."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from remotejobs.operations.backup import BackupPlan, Restore
from tests.documents import ROOT

PAGES = ("backups", "backup-items", "backup-copies", "restoring", "from-borgmatic")
ITEM = {"name": "any", "hosts": "all", "paths": ["etc"]}


def shown(kind: str) -> list[Any]:
    """What the pages show below `kind:`, each with its page and line."""
    found = []
    for page in PAGES:
        text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text()
        for block in re.finditer(rf"```yaml\n((?:#[^\n]*\n)?{kind}:\n.*?)```", text, re.S):
            given = yaml.safe_load(block[1])[kind]
            found.append(pytest.param(given, id=f"{page}:{text[: block.start()].count(chr(10)) + 1}"))
    return found


@pytest.mark.parametrize("given", shown("plan"))
def test_a_plan_of_the_manual_is_accepted(given: dict[str, Any]) -> None:
    kinds = {"databases", "servers", "mariadb", "redis", "files", "sqlite", "commands"}
    BackupPlan.model_validate(given if kinds & set(given) else {**given, "files": [ITEM]})


@pytest.mark.parametrize("given", shown("restore"))
def test_a_restore_of_the_manual_is_accepted(given: dict[str, Any]) -> None:
    Restore.model_validate(given)
