"""From an item of the plan to the job that makes it: shell text, built without asking a host."""

from __future__ import annotations

import hashlib
import re
import shlex

from remotejobs.agent.functions import command_of, text_of
from remotejobs.model import Job
from remotejobs.operations.backup.plan import BackupPlan, CommandItem, FilesItem, Item, PostgresItem

GRACE = 30  # seconds: after a TERM the scratch database is still to be dropped

_LABELS = {"postgres": "pg_dump", "files": "tar", "command": "command"}


def shell_text() -> str:
    """The text of `backup.sh`."""
    return text_of("remotejobs.operations.backup", "backup.sh")


def job_of(plan: BackupPlan, item: Item, *, host: str, jid: str) -> Job:
    """The job that backs `item` up on `host`. The same arguments give the same job, so that it can be attached to."""
    settings = [f"{name}={shlex.quote(value)}" for name, value in _settings(plan, item, host)]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in _libpq(item)]
    return Job(
        jid=jid,
        cmd=command_of(shell_text(), "bk_main", *_words(item), before=[*settings, *exports]),
        label=label_of(item),
        timeout=item.timeout,
        grace=GRACE,
    )


def label_of(item: Item) -> str:
    """What people read: `pg_dump orders`."""
    return f"{_LABELS[item.kind]} {item.name}"


def scratch_database(host: str, item: str) -> str:
    """A name for the restore test that no other host's test and nobody's own database has; at most 63 bytes."""
    digest = hashlib.sha256(f"{host}\0{item}".encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "_", item.lower())[:30]
    return f"remotejobs_restore_{readable}_{digest}"


def _settings(plan: BackupPlan, item: Item, host: str) -> list[tuple[str, str]]:
    return [
        ("ITEM", item.name),
        ("KIND", item.kind),
        ("EXTENSION", _extension(item)),
        ("DIRECTORY", plan.directory),
        ("MIN_BYTES", str(item.min_bytes)),
        ("MIN_FREE_KIB", str(plan.min_free_mib * 1024)),
        ("RETENTION", plan.retention.mode),
        ("LAST", str(plan.retention.last)),
        ("DAILY", str(plan.retention.daily)),
        ("WEEKLY", str(plan.retention.weekly)),
        ("MONTHLY", str(plan.retention.monthly)),
        ("RESTORE_TEST", "yes" if isinstance(item, PostgresItem) and item.restore_test else "no"),
        ("SCRATCH", scratch_database(host, item.name)),
    ]


def _extension(item: Item) -> str:
    match item:
        case PostgresItem():
            return "dump"
        case FilesItem():
            return "tar.gz" if item.compress else "tar"
        case CommandItem():
            return item.extension


def _libpq(item: Item) -> list[tuple[str, str]]:
    """Environment rather than options: libpq would take a database name with `=` in it for a connection string."""
    if not isinstance(item, PostgresItem):
        return []
    named = [
        ("PGDATABASE", item.database),
        ("PGHOST", item.server),
        ("PGPORT", str(item.port)),
        ("PGUSER", item.user),
        ("PGPASSFILE", item.passfile),
    ]
    return [(name, value) for name, value in named if value]


def _words(item: Item) -> list[str]:
    match item:
        case PostgresItem():
            return []
        case FilesItem():
            return [item.base, *(f"--exclude={pattern}" for pattern in item.exclude), *map(_below, item.paths)]
        case CommandItem():
            return [item.command, item.check]


def _below(path: str) -> str:
    """The path as tar takes it from its base; `./` keeps one that starts with a hyphen from being an option."""
    relative = path.lstrip("/") or "."
    return f"./{relative}" if relative.startswith("-") else relative
