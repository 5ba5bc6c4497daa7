"""What the nightly table says of copies is what was seen of them."""

from __future__ import annotations

import pytest

from remotejobs.operations.backup import BackupPlan, BackupReport
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.backups import copies
from remotejobs.prefect.tasks.backups.items import Backup, copies_in_words
from remotejobs.prefect.tasks.jobs.results import WARNING, JobResult

PLAN = BackupPlan.model_validate(
    {
        "sqlite": [{"name": "app", "hosts": "db1", "path": "app.db"}],
        "copies": [{"name": "offsite", "host": "vault", "encrypted": False}],
    }
)


def test_where_copies_are_is_unknown_when_the_host_could_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    report = BackupReport(
        path="/x", bytes=1, sha256="", seconds=1, restore_tested=False, kept=1, removed=0, retention="apply"
    )
    result = JobResult(host="db1", step="sqlite3 app", state="succeeded", succeeded=True)
    refused = JobResult(host="0", step="copy", state="error", reason="db1: unreachable")
    monkeypatch.setattr(copies.copy_item, "submit", lambda *_words: None)
    monkeypatch.setattr(copies, "values_of", lambda _name, _runs: ({}, [refused]))
    (backup,) = copies.with_copies(Access(inventory="x"), PLAN, [Backup(result=result, report=report)])
    assert (backup.result.state, backup.result.reason) == (
        WARNING,
        "it is not known where copies are: db1: unreachable",
    )
    assert copies_in_words(backup.copies) == "unknown"
