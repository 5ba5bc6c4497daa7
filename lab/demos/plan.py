"""What the lab's deployments work on: its hosts, the files to back up there, and the parameters of each deployment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.servers.postgres import DATABASES, Postgres
from lab.servers.sshd import SshLab

HOSTS = ("db1", "db2", "files1")
GROUPS = {"databases": ("db1", "db2"), "files": ("files1",)}
_FILES = 40


def write_files(ssh: SshLab) -> None:
    """Give files1 a site to back up; its content follows from the file's number."""
    site = ssh.host("files1").home / "site"
    site.mkdir(exist_ok=True)
    for number in range(_FILES):
        (site / f"page-{number:02}.html").write_text(f"<p>page {number}</p>\n" * (200 + number))


def deployment_parameters(postgres: Postgres, inventory: Path) -> Mapping[str, dict[str, object]]:
    """For each deployment, the parameters that make it work on the lab's hosts."""
    access = {"inventory": str(inventory)}
    copies = {"name": "offsite", "host": GROUPS["files"][0], "directory": "copies", "min_free_mib": 64}
    plan = {
        "name": "nightly",
        "directory": "backups",
        "min_free_mib": 64,
        "databases": _databases(postgres),
        "copies": [copies],
        "encryption": {"age": [_recipient(inventory.with_name("identity.txt"))]},
        **_others(),
    }
    return {
        "nightly-backup": {"access": access, "plan": plan, "poll": 1},
        "run-command": {"access": access, "hosts": "all", "command": "uptime"},
        "clean-jobs": {"access": access, "dry_run": True},
        **_quick_runs(access),
    }


def _quick_runs(access: dict[str, str]) -> dict[str, dict[str, object]]:
    """What a person may press in the lab, and ends well: nothing of it needs root, systemd or a load balancer."""
    version = {
        "migrate": "echo 2 >version",
        "verify": "grep -x 2 version",
        "rollback": "echo 1 >version",
        "verify_rollback": "grep -x 1 version",
    }
    build = "for page in site/*; do echo packing $page; sleep 0.1; done; tar -cf site.tar site"
    return {
        "monitor": {"access": access},
        "build": {"access": access, "hosts": "files", "command": build, "label": "build"},
        "verify-backups": {"access": access, "hosts": "all", "verify": {"directory": "backups"}, "poll": 5},
        "migration": {
            "access": access,
            "hosts": "databases",
            "commands": version,
            "approval": {"needed": True},
            "poll": 1,
        },
        "service": {
            "access": access,
            "hosts": "files",
            "service": {"name": "queue", "command": "while sleep 5; do echo waiting for work; done"},
        },
        "upgrade": {"access": access, "hosts": "all", "dry_run": True},
    }


def _recipient(identity: Path) -> str:
    """For whom the lab's copies are encrypted; who has the file can open them."""
    if not identity.exists():
        subprocess.run(["age-keygen", "-o", identity], check=True, capture_output=True)
    return subprocess.run(["age-keygen", "-y", identity], check=True, capture_output=True, text=True).stdout.strip()


def _databases(postgres: Postgres) -> list[dict[str, object]]:
    """Every database of the lab, restored each time; the hosts take turns, and all reach the one PostgreSQL."""
    server = {"server": postgres.host, "port": postgres.port, "user": postgres.user, "passfile": str(postgres.passfile)}
    hosts = [GROUPS["databases"][number % 2] for number in range(len(DATABASES))]
    return [
        {"name": name, "hosts": host, "database": name, "restore_test": True, **server}
        for name, host in zip(DATABASES, hosts, strict=True)
    ]


def _others() -> dict[str, object]:
    # It takes its time, so that there is something to poll.
    slow = "uname -a; sleep 3; df -Pk"
    return {
        "files": [{"name": "site", "hosts": "files", "base": ".", "paths": ["site"]}],
        "commands": [{"name": "machine", "hosts": "databases", "command": slow, "timeout": 60}],
    }
