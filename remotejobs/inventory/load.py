"""Reading an inventory: a YAML file, a directory of them, or a list of hosts with a comma in it."""

from __future__ import annotations

import re
from pathlib import Path

from remotejobs.inventory.build import CONVERT, read_file
from remotejobs.inventory.document import Document
from remotejobs.inventory.errors import InventoryError
from remotejobs.inventory.hosts import HostMaker
from remotejobs.inventory.inventory import Inventory
from remotejobs.inventory.names import BadName, expand
from remotejobs.inventory.place import Place
from remotejobs.inventory.precedence import Precedence
from remotejobs.inventory.tree import UNGROUPED, Tree

_SUFFIXES = frozenset({"", ".yml", ".yaml", ".json"})
_IGNORED_NAMES = frozenset({"group_vars", "host_vars", "vars_plugins"})
_IGNORED_ENDS = (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")
_INI_SECTION = re.compile(r"^\s*\[[^\]\n]+\]\s*$", re.MULTILINE)


def load_inventory(path: str | Path) -> Inventory:
    """Read an inventory in Ansible's YAML form with the group_vars/ and host_vars/ beside it.

    `path` is a file, a directory whose files are merged in the order of their names, or a list of hosts that
    contains a comma ("web1,web2" or "web1,"). Raises `InventoryError`.
    """
    text = str(path)
    try:
        return _load_list(text) if "," in text and not _exists(text) else _load_path(Path(path))
    except OSError as exc:
        raise InventoryError(
            f"cannot be read ({exc.strerror})", place=Place(text), remedy="Check the path and its permissions."
        ) from exc
    except RecursionError as exc:
        raise InventoryError(
            "is nested too deeply", place=Place(text), remedy="Look for an anchor that holds itself."
        ) from exc


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # a long list of hosts is too long for a file's name
        return False


def _load_path(path: Path) -> Inventory:
    tree = Tree()
    for file in _files(path) if path.is_dir() else [path]:
        read_file(_document(file), tree)
    if not tree.hosts and len(tree.groups) == 2 and not any(group.variables for group in tree.groups.values()):
        raise InventoryError("names no host and no group", place=Place(str(path)), remedy="Write hosts under `all:`.")
    return _finished(path, tree, base=path if path.is_dir() else path.parent)


def _load_list(text: str) -> Inventory:
    tree = Tree()
    place = Place(f"list {text!r}")
    for word in filter(None, (part.strip() for part in text.split(","))):
        try:
            names, port = expand(word)
        except BadName as exc:
            raise InventoryError(str(exc), place=place, remedy="Correct the host's name.") from exc
        for name in names:
            tree.host(name, tree.groups[UNGROUPED], place, None, port)
    if not tree.hosts:
        raise InventoryError("names no host", place=place, remedy="Write at least one: `web1,`.")
    return _finished(Path(text), tree, base=None)


def _finished(path: Path, tree: Tree, base: Path | None) -> Inventory:
    tree.finish()
    groups = {group.name: group.members() for group in tree.groups.values()}
    maker = HostMaker(Precedence(tree, base), groups)
    hosts = {member.name: maker.host(member) for member in tree.hosts.values()}
    return Inventory(path, hosts, groups, maker.implicit)


def _files(directory: Path) -> list[Path]:
    """The inventory files of a directory and those below, leaving out what Ansible leaves out."""
    found: list[Path] = []
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or path.name in _IGNORED_NAMES or path.name.endswith(_IGNORED_ENDS):
            continue
        found += _files(path) if path.is_dir() else [path]
    return found


def _document(path: Path) -> Document:
    place = Place(str(path))
    if path.suffix not in _SUFFIXES and path.exists():
        raise InventoryError("is not YAML (.yml, .yaml, .json or no suffix)", place=place, remedy=CONVERT)
    try:
        return Document(path)
    except InventoryError as exc:
        if path.is_file() and _INI_SECTION.search(path.read_text(encoding="utf-8", errors="replace")):
            raise InventoryError("is an inventory in INI form; only YAML is read", place=place, remedy=CONVERT) from exc
        raise
