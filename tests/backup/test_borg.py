"""The recipe of the manual runs borg, and prunes nothing before what borg says of the archive was checked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, CommandItem, report_of
from tests.documents import ROOT

Back_up = Callable[..., Record]


@pytest.fixture
def mail(tmp_path: Path) -> CommandItem:
    """The manual's item, for a directory with a few mails."""
    page = (ROOT / "docs" / "how-to" / "from-borgmatic.md").read_text()
    (block,) = re.findall(r"<!-- borg -->\n```yaml\n(.*?)```", page, re.DOTALL)
    (item,) = BackupPlan.model_validate(yaml.safe_load(block)["plan"]).commands
    (tmp_path / "vmail").mkdir()
    for number in range(12):
        (tmp_path / "vmail" / f"mail {number}").write_text(f"mail {number}\n" * 100)
    (tmp_path / "borg.env").write_text(
        f"export BORG_REPO={tmp_path}/repository BORG_PASSCOMMAND='echo x' BORG_BASE_DIR={tmp_path}\n"
    )
    borg(tmp_path, "borg init -e repokey")
    own = {"/etc/borg.env": f"{tmp_path}/borg.env", "/var/vmail": f"{tmp_path}/vmail", "> 1000": "> 10"}
    command = item.command
    for shown, ours in own.items():
        assert shown in command
        command = command.replace(shown, ours)
    return item.model_copy(update={"command": command})


def borg(place: Path, command: str) -> list[str]:
    words = ["sh", "-ec", f". {place}/borg.env; {command}"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()


def test_a_backup_counts_when_borg_says_how_many_files_it_has(
    back_up: Back_up, mail: CommandItem, tmp_path: Path
) -> None:
    record = back_up(mail)
    assert record.state is State.SUCCEEDED, record.stderr.decode()
    said = json.loads(Path(report_of(record).path).read_text())
    assert said["archive"]["stats"]["nfiles"] == 12
    assert borg(tmp_path, "borg list --short") == [said["archive"]["name"]]


def test_an_empty_archive_is_no_backup_and_takes_the_place_of_none(
    back_up: Back_up, mail: CommandItem, tmp_path: Path
) -> None:
    assert back_up(mail).state is State.SUCCEEDED
    (good,) = borg(tmp_path, "borg list --short")
    shutil.rmtree(tmp_path / "vmail")
    record = back_up(mail)
    assert record.state is State.FAILED
    assert "failed at step dump: the command ended with 1" in record.stderr.decode()
    assert good in borg(tmp_path, "borg list --short")
