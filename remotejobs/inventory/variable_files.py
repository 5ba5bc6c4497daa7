"""group_vars/ and host_vars/ beside the inventory: one file or one directory of files per group or host."""

from __future__ import annotations

from pathlib import Path

from remotejobs.inventory.document import Document, is_null
from remotejobs.inventory.errors import InventoryError
from remotejobs.inventory.place import Place
from remotejobs.inventory.values import Raw

_SUFFIXES = ("", ".yml", ".yaml", ".json")


class VariableFiles:
    """The variables in one such directory. Only the first of NAME, NAME.yml, NAME.yaml, NAME.json counts."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._present = frozenset(path.name for path in _listed(directory)) if directory.is_dir() else frozenset()

    def variables(self, name: str) -> dict[str, Raw]:
        """What is set for the group or host `name`; later files of a directory win. Raises `InventoryError`."""
        file_name = next((name + suffix for suffix in _SUFFIXES if name + suffix in self._present), None)
        if file_name is None:
            return {}
        variables: dict[str, Raw] = {}
        for path in _files(self._directory / file_name):
            variables |= _read(path)
        return variables


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    for inner in _listed(path):
        if inner.name.startswith(".") or inner.name.endswith("~") or inner.suffix not in _SUFFIXES:
            continue
        if inner.is_dir():
            found += _files(inner) if not inner.suffix else []
        else:
            found.append(inner)
    return found


def _listed(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError as exc:
        raise InventoryError(
            f"cannot be listed ({exc.strerror})", place=Place(str(directory)), remedy="Check its permissions."
        ) from exc


def _read(path: Path) -> dict[str, Raw]:
    document = Document(path)
    if document.root is None or is_null(document.root):
        return {}
    entries = document.mapping(document.root, document.place, "a file of variables")
    return {entry.key: Raw(document.value(entry.node, entry.place), entry.place) for entry in entries}
