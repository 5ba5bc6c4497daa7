"""The backup that is restored: the newest good one that fits the request, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from remotejobs.errors import HostRefused
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.plan.copies import directory_of
from remotejobs.operations.backup.restore.request import Restore

DATABASES = ("postgres", "mariadb")  # kinds that are restored to a database


class NoSuchBackup(HostRefused):
    """`remotejobs backups list` shows what is there."""


def choose(
    host: str, entries: Sequence[CatalogueEntry], restore: Restore, *, until: datetime | None = None
) -> CatalogueEntry:
    """The newest good backup of the item, not started after `until` or `restore.at`. Raises `NoSuchBackup`.

    One that is dated after now, by a clock that was wrong once, is only chosen by its name: it would be the newest for
    years.
    """
    of_item = [entry for entry in entries if entry.item == restore.item and not entry.of]
    limits = [each for each in (restore.until(), until) if each]
    fitting = [entry for entry in of_item if (entry.file == restore.file if restore.file else entry.age >= 0)]
    fitting = [entry for entry in fitting if all(entry.made <= limit for limit in limits)]
    if restore.sha256:
        fitting = [entry for entry in fitting if entry.sha256 in ("", restore.sha256)]
    good = [entry for entry in fitting if entry.good and (entry.tested or not restore.tested)]
    right = [entry for entry in good if (entry.kind in DATABASES) == bool(restore.database)]
    if right:
        return max(right, key=lambda entry: entry.made)
    raise NoSuchBackup(host, _why_none(restore, host, of_item, fitting, good))


def _why_none(
    restore: Restore,
    host: str,
    of_item: Sequence[CatalogueEntry],
    fitting: Sequence[CatalogueEntry],
    good: Sequence[CatalogueEntry],
) -> str:
    if not of_item:
        return f"there is no backup of {restore.item} in {where_of(restore, host)}"
    if not fitting:
        which = f"called {restore.file}" if restore.file else f"dated until {restore.at or 'now'}"
        which += f" and has the sha256 {restore.sha256}" if restore.sha256 else ""
        return f"none of {len(of_item)} backups of {restore.item} is {which}"
    if not good:
        states = ", ".join(sorted({entry.problem or entry.state for entry in fitting}))
        return f"no backup of {restore.item} is {'tested' if restore.tested else 'good'}: {states}"
    where = "a directory (to)" if restore.database else "a database"
    return f"the backup {good[0].file} is of the kind {good[0].kind}; restore it to {where}"


def where_of(restore: Restore, host: str) -> str:
    """Where a backup to restore on `host` is searched for: a directory there, or on the host that has copies."""
    if restore.fetch:
        return "what the command for names lists"  # which may hold a password
    return directory_of(restore.copies, restore.copy_of or host) if restore.copy_on else restore.directory
