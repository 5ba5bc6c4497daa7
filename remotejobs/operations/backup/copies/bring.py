"""A copy is brought to the host where it is to be restored, and opened there: then it is a backup like others."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from remotejobs.agent.shell import Shell, call, command_of
from remotejobs.errors import HostRefused, UsageError
from remotejobs.jobs.fleet import BecomeChoice, Fleet
from remotejobs.model import Job
from remotejobs.operations.backup.catalogue import CatalogueEntry, backups_on
from remotejobs.operations.backup.copies.fetch import TEXTS, settings_of
from remotejobs.operations.backup.copies.identity import identity_needed, in_memory
from remotejobs.operations.backup.copies.jobs import done
from remotejobs.operations.backup.copies.relay import relay
from remotejobs.operations.backup.item.script import GRACE
from remotejobs.operations.backup.restore import Restore
from remotejobs.operations.backup.texts import texts
from remotejobs.operations.transfer.steps import Ends, Report, part_name

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TIMEOUT = 12 * 3600
_TAIL = 80  # of a jid with at most 100 characters


class CannotBring(HostRefused):
    """Make room there, or correct the directory."""


def brought(
    fleet: Fleet,
    copy: CatalogueEntry,
    host: str,
    restore: Restore,
    *,
    jid: str,
    identity: str = "",
    become: BecomeChoice | None = None,
    report: Report = lambda _moved: None,
) -> CatalogueEntry:
    """Bring `copy` to `host`, below the directory of `restore`, from another host or by its command `fetch`.

    It is opened with `identity`, which is never written to a disk there. `fleet` has both hosts. The same `jid` goes on
    where an earlier try stopped. Raises `HostError` and `UsageError`.
    """
    identity_needed(copy, identity)
    copy = copy if restore.fetch else _whole(fleet, become, copy)
    place = f"{restore.directory.rstrip('/')}/.brought-{hashlib.sha256(jid.encode()).hexdigest()[:12]}"
    was = _as_it_was(copy, restore)
    settings = {
        "DIRECTORY": place,
        "FILE": copy.file,
        "BYTES": str(copy.bytes),
        "SHA256": str(copy.record["sha256"]) if copy.record else "" if copy.encrypted else restore.sha256,
        "ENCRYPTED": copy.encrypted,
        "PLAIN": str(was["file"]),
        "PLAIN_BYTES": str(was["bytes"]),
        "PLAIN_SHA256": str(was["sha256"]),
        "DESCRIBED": record_text(was) if copy.record else "",
    }
    ends = Ends.of(fleet, host, become)
    shell = Shell(fleet.connection(host), become=fleet.become(host, become))
    with closing(ends.files):
        before = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
        answer = call(shell, (f"DIRECTORY={shlex.quote(place)}", texts(TEXTS)), ("dc_ready",))
        if "error" in answer or "at" not in answer:
            raise CannotBring(host, answer.get("error", f"nothing is known of {place}"))
        needed = (copy.bytes + int(was["bytes"])) // 1024
        if int(answer.get("room") or 0) < needed:
            raise CannotBring(host, f"{answer['at']} has {answer.get('room')} KiB free, and {needed} are needed")
        at = answer["at"]
        part = f"{at}/{copy.file}.part"
        if restore.fetch:
            every = min(15, max(1, restore.idle_timeout // 4)) if restore.idle_timeout else 15
            reserve, watch = f"RESERVE_KIB={restore.reserve_mib * 1024}", f"WATCH_EVERY={every}"
            fetching = [*settings_of(restore, host), reserve, watch]
            _run(
                ends,
                jid,
                f"fetch {copy.file}",
                "ft_main",
                [*before, *fetching],
                place,
                idle_timeout=restore.idle_timeout or None,
            )
        else:
            if ends.becomes:
                part = f"{ends.files.absolute('').rstrip('/')}/{part_name(copy.file, jid)}"
            relay(fleet, become, host=copy.host, path=copy.path, size=copy.bytes, ends=ends, part=part, report=report)
        kept = in_memory(fleet.connection(host), fleet.become(host, become), identity) if identity else ""
        opening = [f"PART={shlex.quote(part)}", f"IDENTITY={shlex.quote(kept)}"]
        _run(ends, jid, f"decrypt {copy.file}", "dc_main", [*before, *opening], place)
    return replace(
        copy,
        host=host,
        directory=at,
        file=str(was["file"]),
        bytes=int(was["bytes"]),
        record=was if copy.record else None,
        verified=None,
    )


def _whole(fleet: Fleet, become: BecomeChoice | None, copy: CatalogueEntry) -> CatalogueEntry:
    """The copy as its host has it now, with its whole record. Raises `CannotBring`."""
    there = Shell(fleet.connection(copy.host), become=fleet.become(copy.host, become))
    whole = next((each for each in backups_on(there, copy.directory, file=copy.file) if each.good), None)
    if whole is None or whole.record is None:
        raise CannotBring(copy.host, f"the copy {copy.path} is not whole, or has no record")
    return replace(whole, of=copy.of)


def _run(
    ends: Ends,
    jid: str,
    label: str,
    function: str,
    before: Sequence[str],
    place: str,
    *,
    idle_timeout: int | None = None,
) -> None:
    """Run a function of the texts there, as a job. Raises `FileRefused`."""
    job = Job(
        # Each try has one of its own. It ends in that of the restore: so a cancelled flow run, or a person, finds it.
        jid=f"{label.partition(' ')[0]}.{secrets.token_hex(4)}.{jid[-_TAIL:].lstrip('.-_')}",
        cmd=command_of(texts(TEXTS), function, before=before),
        label=label,
        timeout=_TIMEOUT,
        idle_timeout=idle_timeout,
        grace=GRACE,
        # One that a dead worker began may still be at it, in the same directory.
        locks=(f"bring:{place.rpartition('-')[2]}",),
        queue_timeout=_TIMEOUT,
    )
    done(ends, job)


def record_text(record: Mapping[str, Any]) -> str:
    """The record as it lies beside a backup: one member a line, the rows never in the first or the last."""
    members = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in record.items()]
    return "{" + ",\n".join(members) + "}"


def _as_it_was(copy: CatalogueEntry, restore: Restore) -> dict[str, Any]:
    """The record of what was encrypted, from that of the copy. `UsageError` where it does not say that."""
    record = copy.record
    if record is None:
        return {"file": copy.file.removesuffix(f".{copy.encrypted}"), "bytes": 0, "sha256": restore.sha256}
    if not record.get("encrypted"):
        return dict(record)
    was = {name: value for name, value in record.items() if name != "encrypted" and not name.startswith("plain_")}
    plain = {name: record.get(f"plain_{name}") for name in ("file", "bytes", "sha256")}
    if not all(plain.values()) or not _FILE.fullmatch(str(plain["file"])):
        raise UsageError("the record of the copy does not say what was encrypted", remedy="Decrypt it by hand.")
    return {name: plain.get(name, value) for name, value in was.items()}
