"""What the subcommands of `remotejobs backups` share: the backups of many hosts as a table, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from remotejobs.agent.shell import Shell
from remotejobs.cli.show import say, warn_of_errors
from remotejobs.display.paint import Paint
from remotejobs.display.table import table
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet, HostResult
from remotejobs.operations.backup.catalogue import CatalogueEntry, backups_on
from remotejobs.text import duration, size

HEADS = ("host", "item", "made", "age", "size", "state", "copies", "record", "file", "msg")
Listed = tuple[CatalogueEntry, ...]


def shell_on(fleet: Fleet, host: str) -> Shell:
    return Shell(fleet.connection(host), become=fleet.become(host))


def listed(fleet: Fleet, jobs: HostJobs, directory: str, item: str) -> Listed:
    """The backups of a host, of one item where that is named; the items by name, the newest first."""
    found = backups_on(shell_on(fleet, jobs.host), directory)
    return tuple(sorted((entry for entry in found if item in ("", entry.item)), key=lambda entry: entry.item))


def say_backups(results: Sequence[HostResult[Listed]], *, as_json: bool) -> None:
    """A row for each backup, and the errors."""
    entries = [entry for result in results for entry in result.value or ()]
    if as_json:
        for entry in entries:
            say(json.dumps(as_object(entry)))
        for result in results:
            if result.error:
                say(json.dumps({"host": result.host, "error": str(result.error)}))
        return
    if entries:
        for line in table(HEADS, [_cells(entry) for entry in entries], Paint.for_stream(sys.stdout)):
            say(line)
    for result in results:
        if result.value == ():
            say(f"{result.host}: there are no backups")
    warn_of_errors(results)


def as_object(entry: CatalogueEntry) -> dict[str, object]:
    """One backup as JSON; its record is what lies beside it, as it is."""
    return {
        "host": entry.host,
        "item": entry.item,
        "kind": entry.kind,
        "path": entry.path,
        "made": entry.made.isoformat(),
        "age": entry.age,
        "bytes": entry.bytes,
        "state": entry.state,
        "tested": entry.tested,
        "good": entry.good,
        "msg": _message(entry),
        "copy_of": entry.of,
        "copies": [asdict(each) for each in entry.copies],
        "verified": entry.verified,
        "record": entry.record,
    }


def _cells(entry: CatalogueEntry) -> tuple[str, ...]:
    made = entry.made.strftime("%Y-%m-%d %H:%M:%SZ")
    record = "yes" if entry.record else "none"
    return (
        entry.host,
        entry.item,
        made,
        duration(max(0, entry.age)),
        size(entry.bytes),
        entry.state,
        _copies(entry),
        record,
        entry.file,
        _message(entry),
    )


def _copies(entry: CatalogueEntry) -> str:
    """Where others of it are; of a copy, whose it is."""
    if entry.of:
        return f"is one of {entry.of}{f', {entry.encrypted}' if entry.encrypted else ''}"
    return ", ".join(sorted(each.place for each in entry.copies)) or "local only"


def _message(entry: CatalogueEntry) -> str:
    return entry.damaged or entry.problem or entry.untested
