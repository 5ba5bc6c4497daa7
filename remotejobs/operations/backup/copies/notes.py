"""What is written down beside a backup about its copies: where they are, and that nothing more has to go there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import asdict

from remotejobs.agent.shell import Shell
from remotejobs.errors import ProtocolError
from remotejobs.operations.backup.catalogue import CatalogueEntry, Copied
from remotejobs.text import one_line


def note(shell: Shell, entry: CatalogueEntry, place: str, copied: Copied | None) -> None:
    """Write down, beside the backup, where a copy of it is, or that there is none. Whole or not at all."""
    marks = f"{entry.directory}/.copies/{place}"
    mark, part = (shlex.quote(f"{marks}/{name}") for name in (entry.file, f".{entry.file}.part"))
    if copied is None:
        script = f"rm -f {mark}"
    else:
        text = shlex.quote(json.dumps(asdict(copied)))
        script = f"umask 077; mkdir -p {shlex.quote(marks)} && printf '%s\\n' {text} >{part} && mv {part} {mark}"
    answer = shell.run(script)
    if answer.rc:
        raise ProtocolError(shell.host, f"the copy cannot be noted in {marks}: {one_line(answer.output)}")


def remove_outgoing(shell: Shell, entries: Iterable[CatalogueEntry], wanted: set[str]) -> None:
    """What every one of the `wanted` places has need not stay ready to go."""
    gone = [
        shlex.quote(f"{entry.directory}/.outgoing/{entry.outgoing.file}{more}")
        for entry in entries
        if entry.outgoing and wanted <= {copied.place for copied in entry.copies}
        for more in ("", ".sha256", ".json")
    ]
    if gone:
        shell.run(f"rm -f {' '.join(gone)}")
