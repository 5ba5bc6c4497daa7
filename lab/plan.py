"""What the lab's deployments work on: its hosts, the files to back up there, and the parameters of each deployment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.postgres import DATABASES, Postgres
from lab.sshd import SshLab

HOSTS = ("db1", "db2", "files1")
GROUPS = {"databases": ("db1", "db2"), "files": ("files1",)}
_FILES = 40


def write_files(ssh: SshLab) -> None:
    """Give files1 a site to back up; its content follows from the file's number."""
    site = ssh.host("files1").home / "site"
    site.mkdir(exist_ok=True)
    for number in range(_FILES):
        (site / f"page-{number:02}.html").write_text(f"<p>page {number}</p>\n" * (200 + number))


def deployment_parameters(ssh: SshLab, postgres: Postgres, inventory: Path) -> Mapping[str, dict[str, object]]:
    """For each deployment that needs the lab's hosts, the parameters that make it work on them."""
    return {
        "nightly-backup": {"inventory": str(inventory), "items": [{"name": d, "host": "db1"} for d in DATABASES]},
        "run-command": {"inventory": str(inventory)},
        "clean-jobs": {"inventory": str(inventory)},
    }
