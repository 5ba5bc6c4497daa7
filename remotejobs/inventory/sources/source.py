"""One source of hosts, as it was named: a file of any form, a directory of them, or a list of hosts."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import yaml

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.forms.document import YamlDocument, is_null, read_text
from remotejobs.inventory.forms.ini_form import first_sections, has_sections, read_ini
from remotejobs.inventory.forms.json_form import is_listing, read_listing
from remotejobs.inventory.forms.yaml_form import plugin_of, read_file
from remotejobs.inventory.reading import Reading
from remotejobs.inventory.sources.directory import YAML_SUFFIXES, files_of, is_foreign
from remotejobs.inventory.sources.host_list import add_list
from remotejobs.inventory.sources.plugins import add_plugin
from remotejobs.inventory.sources.programs import add_program, is_program, may_run
from remotejobs.inventory.tree import Tree
from remotejobs.inventory.vault.envelope import is_vault

_log = logging.getLogger(__name__)


def add_source(name: str, tree: Tree, reading: Reading) -> Path | None:
    """Add what it names to the tree; where group_vars/ and host_vars/ may be beside it. Raises `InventoryError`."""
    try:
        if is_list(name):
            add_list(name, tree)
            tree.read.append(name)
            return None
        path = Path(name)
        if path.is_dir():
            _add_directory(path, tree, reading)
            return path
        if path.is_file() and is_program(path):
            add_program(path, tree, reading)
        else:
            _add_text(path, read_text(path), tree, reading)
        tree.read.append(str(path.absolute()))
        return path.parent
    except OSError as exc:
        raise InventoryError(
            f"cannot be read ({exc.strerror})", place=Place(name), remedy="Check the path and its permissions."
        ) from exc
    except RecursionError as exc:
        raise InventoryError(
            "is nested too deeply", place=Place(name), remedy="Look for an anchor that holds itself."
        ) from exc


def is_list(name: str) -> bool:
    """Whether a comma makes it a list, and no file is named so."""
    try:
        return "," in name and not Path(name).exists()
    except OSError:  # a long list of hosts is too long for a file's name
        return True


def _add_directory(directory: Path, tree: Tree, reading: Reading) -> None:
    for file in files_of(directory):
        program = is_program(file)
        if program and may_run(file):
            add_program(file, tree, reading)
            tree.read.append(str(file.absolute()))
            continue
        text = "" if program else _text_among_others(file)
        if program or is_foreign(file, text):
            _log.warning("%s: passed over, for it is no inventory", file)
            for name in first_sections(text):
                tree.group(name)
        else:
            _add_text(file, text, tree, reading)
            tree.read.append(str(file.absolute()))


def _text_among_others(path: Path) -> str:
    """What it says, "" of an image or an archive. `InventoryError` where it should be text."""
    try:
        return read_text(path)
    except InventoryError as exc:
        if not isinstance(exc.__cause__, UnicodeDecodeError) or path.suffix in ("", ".ini", *YAML_SUFFIXES):
            raise
        return ""


def _add_text(path: Path, text: str, tree: Tree, reading: Reading) -> None:
    """Read one file, in INI form, in YAML or in JSON, into the tree."""
    is_secret = is_vault(text)
    if is_secret:
        text = reading.secrets.open(text, Place(str(path)))
    document = _yaml(path, text, reading, is_secret=is_secret)
    if document is None:
        read_ini(text, path, tree, is_secret=is_secret)
    elif plugin := plugin_of(document):
        add_plugin(path, plugin, tree, reading)
    elif text.lstrip().startswith("{") and is_listing(listed := _json(text)):
        read_listing(listed, Place(str(path)), path, tree, reading.secrets, is_secret=is_secret)
    else:
        read_file(document, tree)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # YAML, which may begin with a brace too
        return None


def _yaml(path: Path, text: str, reading: Reading, *, is_secret: bool) -> YamlDocument | None:
    """The file as YAML; None when it is in INI form, which shows in what it says, whatever its suffix."""
    if path.suffix not in ("", *YAML_SUFFIXES):
        return None
    try:
        document = YamlDocument(path, text, reading.secrets, is_secret=is_secret)
    except InventoryError:
        if has_sections(text):
            return None
        raise
    root = document.root
    if isinstance(root, yaml.SequenceNode) and root.flow_style and path.suffix != ".json":
        return None  # `[web]`, and no more
    if path.suffix:
        return document
    if isinstance(root, yaml.MappingNode):  # a host and its variables may have a colon in them
        return None if any("=" in str(key.value) for key, _ in root.value) else document
    return None if isinstance(root, yaml.ScalarNode) and not is_null(root) else document
