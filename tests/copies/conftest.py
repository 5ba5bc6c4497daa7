"""Copies of backups between real hosts: one that is backed up, one that keeps copies, and one that is empty."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lab.servers.sshd import SshLab
from remotejobs.agent.shell import Shell
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Record
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, job_of
from remotejobs.operations.backup.catalogue import CatalogueEntry, backups_on
from remotejobs.operations.backup.copies.send import CopyOutcome, copy_backups
from remotejobs.operations.backup.item.script import GRACE

HOSTS = ("source", "vault", "third")
SECRET = "nobody but the recipients reads this"
_BORG = "export BORG_PASSPHRASE=x BORG_REPO={0}; "
# What each program is told, as docs/how-to/backup-copies.md has it; {} is where its copies lie.
PROGRAMS = {
    "rclone": {
        "send": 'rclone copyto --immutable "$BACKUP_FILE" "{}/$BACKUP_HOST/$BACKUP_NAME"',
        "fetch": 'rclone cat "{}/$BACKUP_HOST/$BACKUP_NAME"',
        "names": 'rclone lsf "{}/$BACKUP_HOST"',
        "remove": 'rclone deletefile "{}/$BACKUP_HOST/$BACKUP_NAME"',
    },
    "restic": {
        "send": "export RESTIC_PASSWORD=x RESTIC_REPOSITORY={0}; [ -e {0}/config ] || restic -q init; restic -q backup "
        '--host "$BACKUP_HOST" --tag "$BACKUP_NAME" --stdin --stdin-filename "$BACKUP_NAME" <"$BACKUP_FILE"',
        "fetch": "RESTIC_PASSWORD=x restic -r {} -q dump "
        '--host "$BACKUP_HOST" --tag "$BACKUP_NAME" latest "$BACKUP_NAME"',
        "names": 'RESTIC_PASSWORD=x restic -r {} -q snapshots --json --host "$BACKUP_HOST"',
        "remove": "export RESTIC_PASSWORD=x RESTIC_REPOSITORY={}; restic -q forget "
        '$(restic -q snapshots --json --host "$BACKUP_HOST" --tag "$BACKUP_NAME" | jq -r ".[].id")',
    },
    "borg": {
        "send": _BORG + '[ -e {0}/config ] || borg init -e repokey; borg create "::$BACKUP_NAME" "$BACKUP_FILE"',
        "fetch": _BORG + 'borg extract --stdout "::$BACKUP_NAME"',
        "names": _BORG + "borg list --short",
        "remove": _BORG + 'borg delete "::$BACKUP_NAME"',
    },
}


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    with SshLab(tmp_path_factory.mktemp("lab"), HOSTS) as lab:
        yield lab


@pytest.fixture(scope="package")
def inventory(lab: SshLab) -> Path:
    return lab.write_inventory(lab.directory / "inventory.yml")


@pytest.fixture(scope="package")
def fleet(inventory: Path) -> Iterator[Fleet]:
    with Fleet(load_inventory(inventory).select("all")) as fleet:
        yield fleet


@dataclass(frozen=True)
class Key:
    """A recipient, and what opens what is encrypted for it."""

    recipient: str
    identity: Path


@pytest.fixture(scope="package")
def age(tmp_path_factory: pytest.TempPathFactory) -> Key:
    path = tmp_path_factory.mktemp("age") / "identity"
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    made = subprocess.run(["age-keygen", "-y", path], check=True, capture_output=True, text=True)
    return Key(made.stdout.strip(), path)


@dataclass(frozen=True)
class Places:
    """Where things lie on the hosts, for one test."""

    base: Path

    @property
    def backups(self) -> Path:
        return self.base / "backups"

    @property
    def copies(self) -> Path:
        """Those of `source`, on vault."""
        return self.base / "copies" / "source"

    @property
    def remote(self) -> Path:
        """Where a program of the host puts copies."""
        return self.base / "remote"

    def command(self, program: str, what: str) -> str:
        """The command, as it is for `source` where a person types it."""
        return PROGRAMS[program][what].format(self.remote).replace("$BACKUP_HOST", "source")

    def elsewhere(self, program: str, **others: Any) -> dict[str, Any]:
        """A place that a program of the host reaches."""
        commands = {name: text.format(self.remote) for name, text in PROGRAMS[program].items() if name != "names"}
        return {"name": "elsewhere", **commands, **others}

    def plan(self, encryption: dict[str, Any] | None, **others: Any) -> BackupPlan:
        place = {"name": "offsite", "host": "vault", "directory": str(self.base / "copies"), "min_free_mib": 0}
        place |= {"encrypted": encryption is not None} | others.pop("place", {})
        given = {"directory": str(self.backups), "min_free_mib": 0, "copies": [place], "encryption": encryption}
        return BackupPlan.model_validate(given | others)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
def back_up(fleet: Fleet) -> Callable[[BackupPlan, Item], Record]:
    """Backs an item up on source."""

    def run(plan: BackupPlan, item: Item) -> Record:
        jobs, jid = fleet.jobs("source"), uuid4().hex
        jobs.start(job_of(plan, item, host="source", jid=jid))
        return jobs.record(jid, wait=120 + GRACE)

    return run


@pytest.fixture
def copy(fleet: Fleet) -> Callable[[BackupPlan, Item], CopyOutcome]:
    return lambda plan, item: copy_backups(fleet, "source", plan, item)


@pytest.fixture
def found(fleet: Fleet) -> Callable[[str, Path], list[CatalogueEntry]]:
    """The backups in a directory of a host, the newest first."""
    return lambda host, directory: [*backups_on(Shell(fleet.connection(host)), str(directory))]


@pytest.fixture
def item(tmp_path: Path) -> FilesItem:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "page").write_text(SECRET)
    (tmp_path / "site" / "noise").write_bytes(os.urandom(3 * 1024 * 1024))
    return FilesItem(name="site", hosts="source", base=str(tmp_path), paths=("site",), compress=False)
