"""Copies of an item's backups to other hosts: what a place lacks goes there, and is checked when it arrives."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from remotejobs.agent.shell import Shell, call, command_of
from remotejobs.errors import FileRefused, HostRefused, RemoteJobsError, UsageError
from remotejobs.jobs.fleet import BecomeChoice, Fleet
from remotejobs.model import Job
from remotejobs.operations.backup.catalogue import CatalogueEntry, Copied, backups_on
from remotejobs.operations.backup.copies.jobs import done
from remotejobs.operations.backup.copies.notes import note, remove_outgoing
from remotejobs.operations.backup.copies.relay import relay
from remotejobs.operations.backup.copies.seal import seal_job
from remotejobs.operations.backup.item.report import warnings_in, whole_report
from remotejobs.operations.backup.item.script import GRACE, plan_of
from remotejobs.operations.backup.plan import BackupPlan, HostCopy, Item, ServerItem
from remotejobs.operations.backup.plan.copies import directory_of
from remotejobs.operations.backup.texts import texts
from remotejobs.operations.transfer.steps import Ends, Report, part_name
from remotejobs.text import one_line

_TEXTS = ("item/backup.sh", "item/record.sh", "item/place.sh", "item/retention.sh", "copies/arrival.sh")
_TIMEOUT = 6 * 3600  # seconds to read what arrived
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class CopyRefused(HostRefused):
    """The backup is whole on its own host; the next run of the plan copies it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOutcome:
    """Where copies of an item's newest backup are, and what kept others from being made, in words."""

    copies: tuple[Copied, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sender:
    """The backups of one host, and the places that they go to."""

    fleet: Fleet
    become: BecomeChoice | None
    host: str
    plan: BackupPlan
    item: Item
    report: Report

    @property
    def places(self) -> tuple[HostCopy, ...]:
        """Where copies go; what lies on the host itself is none."""
        return tuple(place for place in self.plan.copies if place.host != self.host)

    @property
    def shell(self) -> Shell:
        return self.shell_of(self.host)

    def shell_of(self, host: str) -> Shell:
        return Shell(self.fleet.connection(host), become=self.fleet.become(host, self.become))


def copy_backups(
    fleet: Fleet,
    host: str,
    plan: BackupPlan,
    item: Item,
    *,
    become: BecomeChoice | None = None,
    report: Report = lambda _moved: None,
) -> CopyOutcome:
    """Send to each of the plan's hosts for copies what it lacks of the item's backups on `host`.

    A place that cannot have one is a problem in words; others get theirs. Raises `HostError` where the host of the
    backups itself cannot be asked.
    """
    sender = _Sender(fleet, become, host, plan, item, report)
    problems: list[str] = []
    for place in sender.places:
        try:
            said = _to_place(sender, place)
        except RemoteJobsError as exc:
            said = [f"not copied to {place.name}: {exc.message}"]
        problems += [one_line(each) for each in said]
    entries = _of_item(item, backups_on(sender.shell, plan.directory))
    remove_outgoing(sender.shell, entries, {place.name for place in sender.places if place.encrypted})
    newest = {entry.item: entry for entry in reversed(entries) if entry.good and entry.age >= 0}
    return CopyOutcome(
        copies=tuple(copied for entry in newest.values() for copied in entry.copies), problems=tuple(problems)
    )


def lacking(entries: Iterable[CatalogueEntry], place: str) -> Iterator[CatalogueEntry]:
    """The good backups of an item that are newer than its newest copy in `place`, oldest first.

    A place that has none gets the newest alone.
    """
    found: list[CatalogueEntry] = []
    for entry in sorted(entries, key=lambda entry: entry.made, reverse=True):
        if not entry.good or entry.age < 0:
            continue
        if any(copied.place == place for copied in entry.copies):
            return iter(reversed(found))
        found.append(entry)
    return iter(found[:1])


def _of_item(item: Item, entries: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    """Its backups; of all databases of a server where that is the item."""
    several = isinstance(item, ServerItem)
    return [
        entry
        for entry in entries
        if not entry.of and (entry.item == item.name or (several and entry.item.startswith(f"{item.name}.")))
    ]


def _to_place(sender: _Sender, place: HostCopy) -> list[str]:
    """Send what `place` lacks; what went wrong, in words: what was refused keeps back none that is newer."""
    if place.host not in sender.fleet.hosts:
        raise UsageError(f"{place.host!r} is not a host of the inventory", remedy="`remotejobs hosts` lists them.")
    directory = directory_of(place.directory, sender.host)
    entries = _looked_for(sender, place, directory)
    by_item: dict[str, list[CatalogueEntry]] = {}
    for entry in entries:
        by_item.setdefault(entry.item, []).append(entry)
    lacked = [entry for of_item in by_item.values() for entry in lacking(of_item, place.name)]
    refused = []
    for entry in lacked:
        try:
            _send(sender, place, directory, entry)
        except HostRefused as exc:
            refused.append(f"not copied to {place.name}: {exc.message}")
    if lacked:  # what came made the place's retention remove others
        try:
            _looked_for(sender, place, directory)
        except RemoteJobsError as exc:
            refused.append(f"copies that {place.name} removed may still be listed: {exc.message}")
    return refused


def _looked_for(sender: _Sender, place: HostCopy, directory: str) -> list[CatalogueEntry]:
    """The item's backups, with the copies that are in `place` now."""
    entries = _of_item(sender.item, backups_on(sender.shell, sender.plan.directory))
    there = {entry.file: entry for entry in backups_on(sender.shell_of(place.host), directory)}
    return [_seen_again(sender, place, entry, there) for entry in entries]


def _seen_again(
    sender: _Sender, place: HostCopy, entry: CatalogueEntry, there: dict[str, CatalogueEntry]
) -> CatalogueEntry:
    """The same, after its copy was looked for: one that is no longer there, or is damaged, is none."""
    mine = next((copied for copied in entry.copies if copied.place == place.name), None)
    if mine is None:
        return entry
    found = there.get(mine.path.rpartition("/")[2])
    others = tuple(copied for copied in entry.copies if copied is not mine)
    if found is None or not found.good or found.bytes != mine.bytes:
        note(sender.shell, entry, place.name, None)
        return replace(entry, copies=others)
    verified = str(found.verified.get("at", "")) if found.verified else ""
    if verified > mine.seen:
        mine = replace(mine, seen=verified)
        note(sender.shell, entry, place.name, mine)
    return replace(entry, copies=(*others, mine))


def _send(sender: _Sender, place: HostCopy, directory: str, entry: CatalogueEntry) -> None:
    if place.encrypted and entry.outgoing is None:
        entry = _sealed(sender, entry)
    if place.encrypted and entry.outgoing:
        file, size, sha256 = entry.outgoing.file, entry.outgoing.bytes, entry.outgoing.sha256
        path = f"{entry.directory}/.outgoing/{file}"
    else:
        file, size, path = entry.file, entry.bytes, entry.path
        sha256 = str(entry.record.get("sha256", "")) if entry.record else ""
        if not sha256:
            raise CopyRefused(sender.host, f"{entry.file} has no record with its checksum, by which to check a copy")
    described = _read(sender.shell, f"{path}.json")
    settings = {
        "DIRECTORY": directory,
        "FILE": file,
        "ITEM": entry.item,
        "EXTENSION": file.removeprefix(f"{entry.item}-").partition(".")[2],
        "BYTES": str(size),
        "SHA256": sha256,
        "MUST_BE_MOUNT": place.must_be_mount,
        "DESCRIBED": described.rstrip("\n"),
        "MARK": "restored" if entry.tested else "untested" if entry.untested else "",
        "MARKED": entry.untested,
        "PLAN": f"copies of {sender.host}: {plan_of(sender.plan, sender.item)}",
        "RETENTION": place.retention.mode,
        "LAST": str(place.retention.last),
        "DAILY": str(place.retention.daily),
        "WEEKLY": str(place.retention.weekly),
        "MONTHLY": str(place.retention.monthly),
    }
    before = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
    ends = Ends.of(sender.fleet, place.host, sender.become)
    with closing(ends.files):
        # Not with the record: the rows of many tables are more than one word of a command may hold.
        asked = [each for each in before if not each.startswith("DESCRIBED=")]
        ready = partial(call, sender.shell_of(place.host), (*asked, texts(_TEXTS)), ("ar_ready",))
        answer = ready()
        if "error" in answer or "at" not in answer:
            raise CopyRefused(place.host, answer.get("error", f"nothing is known of {directory}"))
        part = ""
        if "whole" not in answer:
            near = ends.files.absolute("").rstrip("/") if ends.becomes else f"{answer['at']}/.incoming"
            part = f"{near}/{part_name(file, sha256)}"
            there = ends.files.size(part) or 0
            needed = max(0, size - there) // 1024 + place.min_free_mib * 1024
            if int(answer.get("room") or 0) < needed:
                raise CopyRefused(
                    place.host, f"{answer['at']} has {answer.get('room')} KiB free, and {needed} are needed"
                )
            try:
                relay(
                    sender.fleet,
                    sender.become,
                    host=sender.host,
                    path=path,
                    size=size,
                    ends=ends,
                    part=part,
                    rate=place.rate_kib * 1024,
                    report=sender.report,
                )
            except FileRefused as exc:  # SFTP has no word for a full disk
                said, there_now = exc.message.removeprefix(f"{place.host}: "), ready()
                if "whole" not in there_now:
                    raise CopyRefused(place.host, f"{said}; {there_now.get('room')} KiB are free there now") from exc
                part = ""  # another run brought it meanwhile
        _arrive(ends, before, part, sha256, f"{sender.host} {entry.item}")
    now = datetime.now(UTC).strftime(_TIME)
    copied = Copied(
        place=place.name,
        host=place.host,
        path=f"{answer['at']}/{file}",
        bytes=size,
        sha256=sha256,
        encrypted=entry.outgoing.file.rpartition(".")[2] if place.encrypted and entry.outgoing else "",
        at=now,
        seen=now,
    )
    note(sender.shell, entry, place.name, copied)


def _sealed(sender: _Sender, entry: CatalogueEntry) -> CatalogueEntry:
    """The same, encrypted for other places: when it was made that failed, or what was ready to go went.

    Raises `CopyRefused`.
    """
    jid = f"encrypt.{hashlib.sha256(entry.file.encode()).hexdigest()[:12]}-{datetime.now(UTC):%H%M%S%f}"
    ends = Ends.of(sender.fleet, sender.host, sender.become)
    with closing(ends.files):
        try:
            done(ends, seal_job(sender.plan, entry.item, entry.file, jid=jid))
        except FileRefused as exc:
            raise CopyRefused(sender.host, f"{entry.file} does not leave its host: {exc.message}") from exc
    found = next(iter(backups_on(sender.shell, sender.plan.directory, file=entry.file)), None)
    if found is None or found.outgoing is None:
        raise CopyRefused(sender.host, f"{entry.file} is not encrypted, and so does not leave its host")
    return replace(entry, outgoing=found.outgoing)


def _arrive(ends: Ends, before: Sequence[str], part: str, sha256: str, what: str) -> None:
    """The job that reads what arrived, gives it its name, and removes what the place no longer keeps."""
    jid = f"copy-arrives.{sha256[:16]}-{datetime.now(UTC):%H%M%S%f}"
    lock = "backup-copies:" + re.sub(r"[^A-Za-z0-9._-]", "_", what)[:80]
    job = Job(
        jid=jid,
        cmd=command_of(texts(_TEXTS), "ar_main", part, before=before),
        label=f"copy of {what}",
        timeout=_TIMEOUT,
        grace=GRACE,
        locks=(lock,),
        queue_timeout=_TIMEOUT,
    )
    record = done(ends, job)
    _, lines = whole_report(record, b"remotejobs-copy 1\n", "copy")
    if said := warnings_in(lines):
        raise CopyRefused(record.host, f"it is there; {'; '.join(said)}")


def _read(shell: Shell, path: str) -> str:
    """A small file of the host. Raises `CopyRefused`."""
    answer = shell.run(f"cat {shlex.quote(path)}")
    if answer.rc:
        raise CopyRefused(shell.host, f"{path} cannot be read: {one_line(answer.output)}")
    return answer.output
