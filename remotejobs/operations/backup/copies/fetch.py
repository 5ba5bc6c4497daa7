"""Copies that a program of the host reaches: which there are, and what their records say. Nothing is fetched yet."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from remotejobs.agent.shell import Shell
from remotejobs.errors import HostRefused, ProtocolError, UsageError
from remotejobs.jobs.fleet import BecomeChoice, Fleet
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.catalogue.entries import STAMP
from remotejobs.operations.backup.copies.identity import identity_needed, in_memory
from remotejobs.operations.backup.restore import NoSuchBackup, Restore, choose
from remotejobs.operations.backup.texts import texts
from remotejobs.text import one_line, visible

TEXTS = (
    "item/backup.sh",
    "item/record.sh",
    "item/place.sh",
    "kinds/cluster.sh",
    "copies/decrypt.sh",
    "copies/fetch.sh",
)
_WITHIN = 280  # seconds for a list of names, or for a record
_ANSWER_WITHIN = _WITHIN + 60.0  # seconds: what hangs is ended over there, and is an answer
_RECORD_KIB = 4000  # no record is longer, and an answer has room for it
_LOOKED_AT = 10  # newest ones, whose records are read until one of them fits
_END = "answered"
_WHAT_IS_THERE = (
    "See what the command for names writes on that host; an earlier time (at) or a name (file) chooses others."
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class CannotFetch(HostRefused):
    """Correct the command, or what it needs on that host: the program, its settings, its password."""


class NotPassedOver(HostRefused):
    """Run it again if that passes; to restore an older one, name it (file) or its time (at)."""


@dataclass(frozen=True, slots=True)
class _Place:
    fleet: Fleet
    become: BecomeChoice | None
    host: str
    restore: Restore
    identity: str

    @property
    def backed_up(self) -> str:
        """The host that was backed up."""
        return self.restore.copy_of or self.host

    def ask(self, *words: str, identity: str = "") -> str:
        before = [*settings_of(self.restore, self.host), f"IDENTITY={shlex.quote(identity)}"]
        before += [f"WITHIN={_WITHIN}", f"RECORD_KIB={_RECORD_KIB}"]
        script = "\n".join([*before, texts(TEXTS), f"({shlex.join(words)})", f"echo; echo {_END}"])
        shell = Shell(self.fleet.connection(self.host), become=self.fleet.become(self.host, self.become))
        output = shell.run(script, timeout=_ANSWER_WITHIN).output.rstrip("\n")
        if not output.endswith(f"\n{_END}"):
            raise ProtocolError(self.host, f"the answer is not whole; it ends with {output[-80:]!r}")
        said = output.removesuffix(f"\n{_END}").strip("\n")
        if said.startswith("error "):
            raise CannotFetch(self.host, visible(said.removeprefix("error ")))
        return said

    def names(self) -> list[str]:
        """Of the item's copies, the newest first."""
        if self.restore.file:
            return [self.restore.file]
        # Whatever else stands around them: restic's JSON, borg's and rclone's lists.
        pattern = rf"(?<![A-Za-z0-9._-]){self._pattern}(?![\w-])"
        found = re.finditer(pattern, self.ask("ft_names", self.restore.item))
        return sorted({each[0] for each in found}, reverse=True)

    @property
    def _pattern(self) -> str:
        return rf"{re.escape(self.restore.item)}-(\d{{8}}T\d{{6}}Z)(?:\.[A-Za-z0-9]+)+"

    def entry(self, name: str) -> CatalogueEntry:
        """What the record of a copy says of it."""
        stamp = re.fullmatch(self._pattern, name)
        try:
            made = datetime.strptime(stamp[1] if stamp else "", STAMP).replace(tzinfo=UTC)
        except ValueError as exc:
            problem = f"file: {name!r} is not the name of a backup of {self.restore.item}"
            raise UsageError(problem, remedy="Give it as the place has it, ITEM-STAMP.EXTENSION.") from exc
        copy = CatalogueEntry(
            host=self.host,
            directory="",
            file=name,
            item=self.restore.item,
            made=made,
            age=(datetime.now(UTC) - made).total_seconds(),
            bytes=0,
            of=self.backed_up,
        )
        identity_needed(copy, self.identity)
        connection, become = self.fleet.connection(self.host), self.fleet.become(self.host, self.become)
        identity = in_memory(connection, become, self.identity) if copy.encrypted and self.identity else ""
        return self._described(copy, self.ask("ft_record", name, copy.encrypted, identity=identity))

    def _described(self, copy: CatalogueEntry, said: str) -> CatalogueEntry:
        if said.startswith("none "):
            if self.restore.sha256 and self.restore.file:
                return copy
            why = one_line(visible(said.removeprefix("none ")))
            problem = f"no record of it is there ({why}): give its name and its sha256, which the run's table has"
            return replace(copy, problem=problem)
        with suppress(ValueError, RecursionError):
            record = json.loads(said)
            json.dumps(record, ensure_ascii=False).encode()  # no half characters
            if _is_record_of(copy, record):
                if (of := record.get("host")) != self.backed_up:
                    return replace(copy, problem=_of_another_host(of, self.backed_up))
                tested, incomplete = record.get("restore_test") == "passed", record.get("complete") is False
                return replace(copy, bytes=record["bytes"], record=record, tested=tested, incomplete=incomplete)
        return replace(copy, problem="its record cannot be read, or is that of another one")


def _is_record_of(copy: CatalogueEntry, record: Any) -> bool:
    """Whether it says all that a restore believes, and says it of this copy. It may be forged all the same."""
    if not isinstance(record, dict):
        return False
    sealed = copy.encrypted if record.get("encrypted") else ""  # a command of the item may have encrypted it itself
    expected = {"file": copy.file, "item": copy.item, "encrypted": sealed or None}
    expected |= {"plain_file": copy.file.removesuffix(f".{sealed}")} if sealed else {}
    return all(record.get(name) == value for name, value in expected.items()) and all(
        _SHA256.fullmatch(str(record.get(f"{of}sha256")))
        and type(record.get(f"{of}bytes")) is int
        and record[f"{of}bytes"] >= 0
        for of in (("", "plain_") if sealed else ("",))
    )


def _of_another_host(of: object, wanted: str) -> str:
    """Where names do not say whose a copy is, one of another host would be restored in its place."""
    return (
        f"by its record it is of the host {visible(str(of))}, not of {wanted}: put $BACKUP_HOST into the commands, or "
        "name the host that was backed up (copy_of)"
    )


def settings_of(restore: Restore, host: str) -> list[str]:
    """Those of fetch.sh that each of its functions needs."""
    named = {
        "BACKUP_HOST": restore.copy_of or host,
        "SENT_FROM": restore.directory.rstrip("/"),
        "NAMES": restore.names,
        "FETCH": restore.fetch,
    }
    return [f"{name}={shlex.quote(value)}" for name, value in named.items()]


def fetchable(
    fleet: Fleet, host: str, restore: Restore, *, identity: str = "", become: BecomeChoice | None = None
) -> CatalogueEntry:
    """The copy that `restore` asks for, from where its commands find copies; an entry without a directory.

    Its record is read, and opened with `identity`. Raises `UsageError` and `HostError`: `NoSuchBackup`, `CannotFetch`,
    `NotPassedOver`.
    """
    place = _Place(fleet, become, host, restore, identity)
    looked_at: list[CatalogueEntry] = []
    names = [*_in_time(place.names(), restore)]
    for name in names[:_LOOKED_AT]:
        looked_at.append(place.entry(name))
        with suppress(NoSuchBackup):
            return _chosen(place, looked_at)
        if (problem := looked_at[-1].problem) and not (restore.file or restore.sha256):
            # Not known to be worse than an older one, which nobody asked for.
            raise NotPassedOver(host, f"{name}: {problem}")
    try:
        return _chosen(place, looked_at)
    except NoSuchBackup as exc:
        asked = f"; {_LOOKED_AT} of {len(names)} were looked at, the newest" if len(names) > _LOOKED_AT else ""
        raise NoSuchBackup(host, exc.message.removeprefix(f"{host}: ") + asked, remedy=_WHAT_IS_THERE) from exc


def _chosen(place: _Place, looked_at: list[CatalogueEntry]) -> CatalogueEntry:
    """The same as of backups that lie on the host itself. Raises `NoSuchBackup`."""
    chosen = choose(place.host, [replace(each, of="") for each in looked_at], place.restore)
    return replace(chosen, of=place.backed_up)


def _in_time(names: list[str], restore: Restore) -> Iterator[str]:
    """Those that were begun by then, so that no record is read in vain."""
    until = restore.until()
    last = (until or datetime.now(UTC)).strftime(STAMP)
    for name in names:
        stamp = name.removeprefix(f"{restore.item}-")[: len(last)]
        if restore.file or stamp <= last:
            yield name
