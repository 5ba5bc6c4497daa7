"""`--tree DIR`: what came of each host in a file of its name, the object that `--json` prints for it."""

from __future__ import annotations

from pathlib import Path

from remotejobs.display.events import Event, View
from remotejobs.display.json_lines import json_line
from remotejobs.errors import UsageError
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record

_REMEDY = "Name a directory that can be written."


class Tree:
    """Another view, and beside it the files: each is there, and whole, as soon as its host is done."""

    def __init__(self, view: View, directory: Path, jid: str) -> None:
        self._view = view
        self._directory = directory
        self._jid = jid
        self.first_poll = view.first_poll
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise UsageError(f"--tree {directory}: {exc.strerror}", remedy=_REMEDY) from exc

    def show(self, event: Event) -> None:
        self._view.show(event)

    def ended(self, result: HostResult[Record]) -> None:
        path = self._directory / _file_name(result.host)
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text(json_line(result, self._jid) + "\n")
            part.replace(path)
        except OSError as exc:
            raise UsageError(f"--tree: {path}: {exc.strerror}", remedy=_REMEDY) from exc
        self._view.ended(result)

    def close(self) -> None:
        self._view.close()


def _file_name(host: str) -> str:
    """The host's name, with nothing in it that leads elsewhere."""
    name = host.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    return name.replace(".", "%2E", 1) if name.startswith(".") else name


def kept_in(directory: Path | None, view: View, jid: str) -> View:
    """`view`, with the files beside it where a directory is named. Raises `UsageError`."""
    return Tree(view, directory, jid) if directory else view
