"""group_vars/ and host_vars/: one file or one directory of files per group or host, plain or encrypted."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.forms.document import YamlDocument, is_null, read_text
from remotejobs.inventory.settling.layers import Layer, Locked
from remotejobs.inventory.values import Raw
from remotejobs.inventory.vault.envelope import is_vault
from remotejobs.inventory.vault.secrets import Secrets

_log = logging.getLogger(__name__)
_SUFFIXES = ("", ".yml", ".yaml", ".json")


class VariableFiles:
    """The variables in one such directory. Only the first of NAME, NAME.yml, NAME.yaml, NAME.json counts."""

    def __init__(self, directory: Path, secrets: Secrets) -> None:
        self._directory = directory
        self._secrets = secrets
        self._present = frozenset(path.name for path in _listed(directory)) if directory.is_dir() else frozenset()
        self._read: dict[str, tuple[Layer, ...]] = {}

    def layers(self, name: str) -> tuple[Layer, ...]:
        """What is set for the group or host `name`; later files of a directory win. Raises `InventoryError`."""
        if name not in self._read:
            file_name = next((name + suffix for suffix in _SUFFIXES if name + suffix in self._present), None)
            paths = _files(self._directory / file_name) if file_name else []
            self._read[name] = tuple(self._layer(path) for path in paths)
        return self._read[name]

    def _layer(self, path: Path) -> Layer:
        text = read_text(path)
        if is_vault(text):
            if not self._secrets:
                _log.warning("%s is encrypted, and no password of a vault is given: its variables are not known", path)
            return Locked(Place(str(path)), bool(self._secrets), partial(_opened, path, text, self._secrets))
        return _variables(YamlDocument(path, text, self._secrets))


def _opened(path: Path, text: str, secrets: Secrets) -> dict[str, Raw]:
    return _variables(YamlDocument(path, secrets.open(text, Place(str(path))), secrets, is_secret=True))


def _variables(document: YamlDocument) -> dict[str, Raw]:
    if document.root is None or is_null(document.root):
        return {}
    entries = document.mapping(document.root, document.place, "a file of variables")
    return {entry.key: Raw(document.value(entry.node, entry.place), entry.place) for entry in entries}


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
