"""The records of a month, read from the hosts themselves."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from remotejobs.agent.shell import Shell
from remotejobs.errors import HostRefused, ProtocolError
from remotejobs.operations.backup.catalogue import Copied
from remotejobs.operations.backup.texts import texts
from remotejobs.text import visible

_END = "answered"


class RecordsUnreadable(HostRefused):
    """Ask as a user who may read them (--become), or name another directory."""


@dataclass(slots=True)
class Evidence:
    """What is left of one backup: its record, its copies, and what a verification said of it last."""

    record: Mapping[str, Any]
    copies: list[Copied] = field(default_factory=list)
    verified: str = ""
    damaged: str = ""

    def said(self, name: str) -> str:
        return visible(str(self.record.get(name) or ""))

    @property
    def day(self) -> str:
        """When it was started: 2026-11-30."""
        return self.said("began")[:10]

    @property
    def good(self) -> bool:
        """Whole when it was made, and not found damaged since."""
        return self.record.get("complete") is True and not self.damaged


def evidence_on(shell: Shell, directory: str, month: str, *, must_be_mount: str = "") -> list[Evidence]:
    """What there is of the backups that a host began in a month (2026-11), in the order of their names.

    No such directory means nothing, unless it is to lie on what `must_be_mount` names. Raises `HostError`,
    `RecordsUnreadable`.
    """
    asked = shlex.join(["er_list", directory, month.replace("-", ""), must_be_mount])
    script = "\n".join([texts(("item/place.sh", "evidence/records.sh")), asked, f"echo {_END}"])
    lines = shell.run(script).output.rstrip("\n").split("\n")
    if lines[-1] != _END:
        raise ProtocolError(shell.host, f"the list of records is not whole; it ends with {lines[-1][-80:]!r}")
    found: dict[str, Evidence] = {}
    for line in lines[:-1]:
        kind, _, rest = line.partition(" ")
        name, _, text = rest.partition(" ")
        if kind == "error":
            raise RecordsUnreadable(shell.host, visible(rest))
        if kind == "record":
            if (record := _object(text)) is None or record.get("file") != name:
                raise RecordsUnreadable(shell.host, f"the record {visible(name)}.json is not to be understood")
            found[name] = Evidence(record)
        elif name in found:
            _add(found[name], kind, text)
    return list(found.values())


def _add(evidence: Evidence, kind: str, text: str) -> None:
    said = _object(text) or {}
    if kind == "copy" and (copied := Copied.of(said)):
        evidence.copies.append(copied)
    elif kind == "verified":
        evidence.verified = visible(str(said.get("at") or ""))
    elif kind == "damaged":
        evidence.damaged = visible(text.strip())


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
