"""What opens an encrypted copy: handed to the host that needs it, in memory alone."""

from __future__ import annotations

import secrets
import shlex

from remotejobs.connections.base import Become, Connection, Question
from remotejobs.errors import HostRefused, ProtocolError, UsageError
from remotejobs.operations.backup.catalogue import CatalogueEntry

_WAITS = 300  # seconds for which an identity waits in memory for what opens a copy with it


class NoMemory(HostRefused):
    """Mount a tmpfs at /dev/shm there, or decrypt the copy elsewhere."""


def identity_needed(copy: CatalogueEntry, identity: str) -> None:
    """Raises `UsageError` where the copy cannot be opened by what was given."""
    if copy.encrypted == "age" and not identity:
        raise UsageError(f"{copy.file} on {copy.host} is encrypted for age", remedy="Give the identity that opens it.")


def in_memory(connection: Connection, become: Become | None, identity: str) -> str:
    """Keep `identity` in the memory of the host for the job that opens it at once; its path there.

    It goes by the stdin of a shell, so that neither a disk nor a list of processes shows it. Raises `NoMemory`.
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
        raise NoMemory(connection.host, "there is no place in memory for the identity", remedy=remedy)
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
