"""What backups a host has, read from the host itself: the files, the marks beside them and their records."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from remotejobs.agent.shell import Shell
from remotejobs.errors import HostRefused, ProtocolError
from remotejobs.operations.backup.texts import texts
from remotejobs.text import size, visible

_TEXTS = ("item/place.sh", "catalogue/catalogue.sh")
STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(
    r"(?:(?P<of>[^/]+)/)?(?P<item>[A-Za-z0-9][A-Za-z0-9._-]*)-(?P<stamp>\d{8}T\d{6}Z)\.(?P<extension>[A-Za-z0-9.]+)"
)
_SIDE_FILES = ("record", "untested", "damaged", "verified")
_END = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A copy of a backup in another place: `host` has it, or a program reaches it (""). `seen` is when it was whole."""

    place: str
    host: str
    path: str
    bytes: int
    sha256: str
    encrypted: str
    at: str
    seen: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Copied | None:
        """What a file beside the backup says; None where that is not to be understood."""
        names = ("place", "host", "path", "sha256", "encrypted", "at", "seen")
        if not all(isinstance(said.get(name), str) for name in names) or not isinstance(said.get("bytes"), int):
            return None
        return cls(bytes=said["bytes"], **{name: visible(said[name]) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A backup that is encrypted and on its way to other places."""

    file: str
    bytes: int
    sha256: str


class DirectoryUnreadable(HostRefused):
    """Ask as a user with the right to read it (--become), or name another directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One backup as it lies on its host.

    `record` is what was written beside it when it was made; None for a backup without one (an older version made it),
    `problem` says when it is there and is not to be believed. `untested` and `damaged` are reasons. `of` is the host of
    which it is a copy, "" for one of this host; `copies` are those of it in other places, `outgoing` what goes there.
    """

    host: str
    directory: str
    file: str
    item: str
    made: datetime
    age: float
    bytes: int
    tested: bool = False
    incomplete: bool = False
    untested: str = ""
    damaged: str = ""
    verified: Mapping[str, Any] | None = None
    record: Mapping[str, Any] | None = None
    problem: str = ""
    of: str = ""
    copies: tuple[Copied, ...] = ()
    outgoing: Outgoing | None = None

    @property
    def encrypted(self) -> str:
        """The program that encrypted it: age, gpg, or "". Of a copy without a record its name says it."""
        if self.record:
            return str(self.record.get("encrypted") or "")
        return self.file.rpartition(".")[2] if self.of and self.file.endswith((".age", ".gpg")) else ""

    @property
    def good(self) -> bool:
        """Whole, and nothing has been found wrong with it since."""
        return not (self.incomplete or self.damaged or self.problem)

    @property
    def kind(self) -> str:
        """postgres, files, sqlite, globals or command: by its record, or else by its name."""
        if self.record and self.record.get("kind"):
            return visible(str(self.record["kind"]))
        return (
            "postgres" if self.file.endswith((".dump", ".dump.tar")) else "files" if ".tar" in self.file else "command"
        )

    @property
    def path(self) -> str:
        return f"{self.directory.rstrip('/')}/{self.file}" if self.directory else self.file

    @property
    def sha256(self) -> str:
        """The checksum of the backup itself, also where this is an encrypted copy; "" where no record says it."""
        return str((self.record or {}).get("plain_sha256" if self.encrypted else "sha256", ""))

    @property
    def size(self) -> str:
        """For people; unknown of a copy without a record that is still to be fetched."""
        return size(self.bytes) if self.directory or self.record else "unknown"

    @property
    def rows(self) -> Mapping[str, int] | None:
        """The rows of each table, counted in the dump's own snapshot; only of one that was asked for by its name."""
        return self.record.get("rows") if self.record else None

    @property
    def state(self) -> str:
        """In a word: damaged, incomplete, mismatch, tested, untested (that was asked for), or whole.

        Of a copy that is still to be fetched, and that nobody has read: what its record says, or unknown.
        """
        if self.damaged or self.incomplete or self.problem:
            return "damaged" if self.damaged else "incomplete" if self.incomplete else "mismatch"
        word = "tested" if self.tested else "untested" if self.untested else "whole"
        return word if self.directory else f"{word} by its record" if self.record else "unknown"


@dataclass(slots=True)
class _Listing:
    at: str = ""
    now: str = ""
    backups: list[tuple[int, str, list[str]]] = field(default_factory=list)
    beside: dict[tuple[str, str], str] = field(default_factory=dict)
    copies: list[tuple[str, str]] = field(default_factory=list)
    outgoing: dict[str, Outgoing] = field(default_factory=dict)


def backups_on(shell: Shell, directory: str, *, file: str = "") -> tuple[CatalogueEntry, ...]:
    """The backups in a directory of a host, newest first; with `file` that one, with its rows.

    No such directory means none. Raises `HostError`, `DirectoryUnreadable`.
    """
    script = "\n".join([texts(_TEXTS), shlex.join(["ct_list", directory, file]), f"echo {_END}"])
    lines = shell.run(script).output.rstrip("\n").split("\n")
    if lines[-1] != _END:
        raise ProtocolError(shell.host, f"the list of backups is not whole; it ends with {lines[-1][-80:]!r}")
    return tuple(sorted(_entries(shell.host, _read(shell.host, lines)), key=lambda each: each.made, reverse=True))


def _read(host: str, lines: Sequence[str]) -> _Listing:
    answer = _Listing()
    for line in lines:
        match line.split(" ", 2):
            case ["error", *_]:
                raise DirectoryUnreadable(host, visible(line.partition(" ")[2]))
            case ["at", now, at]:
                answer.now, answer.at = now, at
            case ["backup", count, rest] if count.isdigit():
                name, _, marks = rest.partition(" ")
                answer.backups.append((int(count), name, marks.split(",")))
            case ["copy", name, text]:
                answer.copies.append((name, text))
            case ["outgoing", name, text] if len(words := text.split()) == 3 and words[1].isdigit():
                answer.outgoing[name] = Outgoing(file=words[0], bytes=int(words[1]), sha256=words[2])
            case [kind, name, text] if kind in _SIDE_FILES:
                answer.beside[kind, name] = text.strip()
            case _:
                pass
    return answer


def _entries(host: str, answer: _Listing) -> Iterator[CatalogueEntry]:
    for count, name, marks in answer.backups:
        match = _NAME.fullmatch(name)
        if not match:
            continue
        made = _time(match["stamp"])
        record, problem = _record(answer.beside.get(("record", name)), name.rpartition("/")[2], count)
        of = match["of"] or ""
        yield CatalogueEntry(
            host=host,
            directory=f"{answer.at.rstrip('/')}/{of}" if of else answer.at,
            file=name.rpartition("/")[2],
            of=of,
            copies=tuple(_copies(text for file, text in answer.copies if file == name)),
            outgoing=answer.outgoing.get(name),
            item=match["item"],
            made=made,
            age=(_time(answer.now) - made).total_seconds(),
            bytes=count,
            tested="restored" in marks,
            incomplete="incomplete" in marks,
            untested=visible(answer.beside.get(("untested", name), "")),
            damaged=visible(answer.beside.get(("damaged", name), "")),
            verified=_object(answer.beside.get(("verified", name))),
            record=record,
            problem="it cannot be read by this user; --become asks as root" if "unreadable" in marks else problem,
        )


def _copies(texts: Iterable[str]) -> Iterator[Copied]:
    for text in texts:
        said = _object(text)
        if said and (copied := Copied.of(said)):
            yield copied


def _record(text: str | None, name: str, count: int) -> tuple[Mapping[str, Any] | None, str]:
    """The record, and why it is not that of this file."""
    if text is None:
        return None, ""
    record = _object(text)
    if record is None:
        return None, "its record cannot be read"
    if record.get("file") != name:
        return record, f"its record is that of {visible(str(record.get('file')))}"
    if record.get("bytes") != count:
        return record, f"it has {count} bytes, and its record says {visible(str(record.get('bytes')))}"
    return record, ""


def _object(text: str | None) -> Mapping[str, Any] | None:
    try:
        read = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _time(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
