"""A copy is brought to the host where it is to be restored, and opened there: then it is a backup like others."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shlex
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from remotejobs.agent.shell import Shell, call, command_of
from remotejobs.connections.base import Become, Connection, Question
from remotejobs.errors import HostRefused, ProtocolError, UsageError
from remotejobs.jobs.fleet import BecomeChoice, Fleet
from remotejobs.model import Job
from remotejobs.operations.backup.catalogue import CatalogueEntry, backups_on
from remotejobs.operations.backup.copies.relay import relay
from remotejobs.operations.backup.copies.send import done
from remotejobs.operations.backup.item.script import GRACE
from remotejobs.operations.backup.texts import texts
from remotejobs.operations.transfer.steps import Ends, Report, part_name

_TEXTS = ("item/backup.sh", "item/record.sh", "item/place.sh", "kinds/cluster.sh", "copies/decrypt.sh")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TIMEOUT = 12 * 3600
_WAITS = 300  # seconds for which an identity waits in memory for the job that opens it


class CannotBring(HostRefused):
    """Make room there, or correct the directory."""


def identity_needed(entry: CatalogueEntry, identity: str) -> None:
    """Raises `UsageError` where the copy cannot be opened by what was given."""
    if entry.encrypted == "age" and not identity:
        raise UsageError(
            f"{entry.file} on {entry.host} is encrypted for age", remedy="Give the identity that opens it."
        )


def brought(
    fleet: Fleet,
    copy: CatalogueEntry,
    host: str,
    *,
    directory: str,
    jid: str,
    identity: str = "",
    become: BecomeChoice | None = None,
    report: Report = lambda _moved: None,
) -> CatalogueEntry:
    """Bring `copy` to `host`, below `directory`, and open it with `identity`, which is never written to a disk there.

    `fleet` has both hosts. The same `jid` goes on where an earlier try stopped. Raises `HostError` and `UsageError`.
    """
    identity_needed(copy, identity)
    there = Shell(fleet.connection(copy.host), become=fleet.become(copy.host, become))
    whole = next((each for each in backups_on(there, copy.directory, file=copy.file) if each.good), None)
    if whole is None or whole.record is None:
        raise CannotBring(copy.host, f"the copy {copy.path} is not whole, or has no record")
    place = f"{directory.rstrip('/')}/.brought-{hashlib.sha256(jid.encode()).hexdigest()[:12]}"
    was = _as_it_was(whole.record)
    settings = {
        "DIRECTORY": place,
        "FILE": copy.file,
        "BYTES": str(whole.bytes),
        "SHA256": str(whole.record["sha256"]),
        "ENCRYPTED": whole.encrypted,
        "PLAIN": str(was["file"]),
        "PLAIN_BYTES": str(was["bytes"]),
        "PLAIN_SHA256": str(was["sha256"]),
        "DESCRIBED": record_text(was),
    }
    ends = Ends.of(fleet, host, become)
    shell = Shell(fleet.connection(host), become=fleet.become(host, become))
    with closing(ends.files):
        before = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
        answer = call(shell, (f"DIRECTORY={shlex.quote(place)}", texts(_TEXTS)), ("dc_ready",))
        if "error" in answer or "at" not in answer:
            raise CannotBring(host, answer.get("error", f"nothing is known of {place}"))
        needed = (whole.bytes + int(was["bytes"])) // 1024
        if int(answer.get("room") or 0) < needed:
            raise CannotBring(host, f"{answer['at']} has {answer.get('room')} KiB free, and {needed} are needed")
        at = answer["at"]
        part = f"{ends.files.absolute('').rstrip('/')}/{part_name(copy.file, jid)}" if ends.becomes else ""
        part = part or f"{at}/{copy.file}.part"
        relay(fleet, become, host=copy.host, path=copy.path, size=whole.bytes, ends=ends, part=part, report=report)
        kept = _in_memory(fleet.connection(host), fleet.become(host, become), identity) if identity else ""
        before += [f"PART={shlex.quote(part)}", f"IDENTITY={shlex.quote(kept)}"]
        name = f"decrypt.{secrets.token_hex(8)}"
        command = command_of(texts(_TEXTS), "dc_main", before=before)
        job = Job(jid=name, cmd=command, label=f"decrypt {copy.file}", timeout=_TIMEOUT, grace=GRACE)
        # One that a dead worker began may still be at it, in the same directory.
        done(ends, replace(job, locks=(f"bring:{place.rpartition('-')[2]}",), queue_timeout=_TIMEOUT))
    return replace(
        whole,
        host=host,
        directory=at,
        file=str(was["file"]),
        bytes=int(was["bytes"]),
        record=was,
        verified=None,
        of=copy.of,
    )


def record_text(record: Mapping[str, Any]) -> str:
    """The record as it lies beside a backup: one member a line, the rows never in the first or the last."""
    members = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in record.items()]
    return "{" + ",\n".join(members) + "}"


def _as_it_was(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of what was encrypted, from that of the copy. `UsageError` where it does not say that."""
    if not record.get("encrypted"):
        return dict(record)
    was = {name: value for name, value in record.items() if name != "encrypted" and not name.startswith("plain_")}
    plain = {name: record.get(f"plain_{name}") for name in ("file", "bytes", "sha256")}
    if not all(plain.values()) or not _FILE.fullmatch(str(plain["file"])):
        raise UsageError("the record of the copy does not say what was encrypted", remedy="Decrypt it by hand.")
    return {name: plain.get(name, value) for name, value in was.items()}


def _in_memory(connection: Connection, become: Become | None, identity: str) -> str:
    """Keep `identity` in the memory of the host for the job that opens it at once; its path there.

    It goes by the stdin of a shell, so that neither a disk nor a list of processes shows it. Raises `CannotBring`.
    """
    nonce = secrets.token_hex(16)
    begin, end = f"begin {nonce}\n", f"end {nonce}\n"
    script = keeping(identity, nonce)
    reply = connection.ask(Question(script.encode(), end=end.encode(), timeout=30, max_bytes=65536, become=become))
    _, found, rest = reply.stdout.decode("utf-8", "replace").partition(begin)
    if not found or not reply.complete:
        raise ProtocolError(connection.host, "the identity could not be handed over")
    path = rest.removesuffix(end).strip()
    if not path.startswith("/"):
        remedy = "Mount a tmpfs at /dev/shm there, or decrypt the copy elsewhere."
        raise CannotBring(connection.host, "there is no place in memory for the identity", remedy=remedy)
    return path


def keeping(identity: str, nonce: str) -> str:
    """The script that keeps `identity` in memory, for a while, and answers with its path between two lines.

    Where printf is a program (mksh), its words would be in the list of processes. What waits there goes in time also
    where the session's end ends the shell that sees to that: from its first instant it ignores what would end it.
    """
    return f"""umask 077
say() {{ printf '%s\\n' "$1"; }}
case $(type printf 2>&1) in *built*in*) ;; *) say() {{ print -r -- "$1"; }} ;; esac
echo 'begin {nonce}'
for each in /dev/shm "${{XDG_RUNTIME_DIR:-/run/user/$(id -u)}}"; do
    case $(df -P "$each" 2>/dev/null | sed -n '2s/ .*//p') in *tmpfs* | shm) ;; *) continue ;; esac
    file=$(mktemp "$each/rj_identity_XXXXXX" 2>/dev/null) || continue
    trap '' HUP INT TERM
    (exec </dev/null >/dev/null 2>&1; trap : INT TERM; sleep {_WAITS}; rm -f "$file") &
    say {shlex.quote(identity.rstrip())} >"$file" || {{ rm -f "$file" && continue; }}
    echo "$file"
    break
done
echo 'end {nonce}'
exit
"""
