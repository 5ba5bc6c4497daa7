"""The JSON that inventory scripts and ansible-inventory print, into the tree."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.tree import Group, Tree, priority_of
from remotejobs.inventory.values import Raw, Secret, Unsafe, UnsafeSecret, Vault
from remotejobs.inventory.vault.secrets import Secrets

Ask = Callable[[str], Mapping[str, Any]]
_PARTS = ("hosts", "vars", "children")
_META = "_meta"


def parse_json(text: str, place: Place) -> Any:
    """`InventoryError` when it is none; it shows nothing of the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        line = exc.lineno if isinstance(exc, json.JSONDecodeError) else 0
        raise InventoryError("is not valid JSON", place=Place(place.file, line), remedy="Correct it there.") from None


def is_listing(data: Any) -> bool:
    """Whether it is what `--list` prints: `_meta`, or a group whose hosts are a list."""
    if not isinstance(data, dict):
        return False
    groups = [value for value in data.values() if isinstance(value, dict)]
    return isinstance(data.get(_META), dict) or any(isinstance(group.get("hosts"), list) for group in groups)


def read_listing(
    data: Any,
    place: Place,
    path: Path,
    tree: Tree,
    secrets: Secrets,
    ask: Ask = lambda _: {},
    *,
    is_secret: bool = False,
) -> None:
    """Add what it says to the tree; without `_meta` each host's variables are what `ask` gives.

    Raises `InventoryError`, which shows no value. `is_secret`: the text was in a vault.
    """
    reader = _JsonReader(place, path, tree, secrets, is_secret=is_secret)
    meta = None
    for name, said in _mapping(data, place, "the inventory").items():
        if name == _META:
            meta = _mapping(_mapping(said, place.at(0, name), "`_meta`").get("hostvars"), place, "`_meta > hostvars`")
        else:
            reader.group(name, said)
    for host in reader.hosts:
        at = place.at(0, host)
        found = ask(host) if meta is None else meta.get(host, {})
        _put(tree.hosts[host].variables, reader.variables(_mapping(found, at, "a host's variables"), at))


class _JsonReader:
    def __init__(self, place: Place, path: Path, tree: Tree, secrets: Secrets, *, is_secret: bool) -> None:
        self._text, self._unsafe = (Secret, UnsafeSecret) if is_secret else (str, Unsafe)
        self.hosts: dict[str, None] = {}
        self._place = place
        self._path = path
        self._tree = tree
        self._secrets = secrets

    def group(self, name: str, said: Any) -> None:
        place = self._place.at(0, name)
        if not name:
            raise InventoryError("a group has an empty name", place=place)
        group = self._tree.group(name)
        if isinstance(said, list):
            said = {"hosts": said}
        parts = _mapping(said, place, f"the group {name!r}")
        is_host = not any(part in parts for part in _PARTS)
        if is_host:  # as Ansible takes it: a host of that name with these variables, none of which is a template
            parts = {"hosts": [name], "vars": parts}
        for host in _names(parts.get("hosts"), place.at(0, "hosts")):
            self._tree.host(host, group, place, self._path, None)
            self.hosts[host] = None
        if parts.get("vars") is not None:
            at = place.at(0, "vars")
            self._group_variables(group, self.variables(_mapping(parts["vars"], at, "`vars`"), at, unsafe=is_host))
        for child in _names(parts.get("children"), place.at(0, "children")):
            if not self._tree.add_child(group, self._tree.group(child)):
                raise InventoryError(f"the group {child!r} cannot be below {name!r}: a circle", place=place)

    def variables(self, said: Mapping[str, Any], place: Place, *, unsafe: bool = False) -> dict[str, Raw]:
        return {name: Raw(self._value(value, unsafe), place.at(0, name)) for name, value in said.items()}

    def _group_variables(self, group: Group, variables: dict[str, Raw]) -> None:
        priority = variables.pop("ansible_group_priority", None)
        if priority:
            group.priority = priority_of(priority)
        _put(group.variables, variables)

    def _value(self, value: Any, unsafe: bool) -> Any:
        match value:
            case str():
                return self._unsafe(value) if unsafe else self._text(value)
            case {"__ansible_unsafe": str(text)} if len(value) == 1:
                return self._unsafe(text)
            case {"__ansible_vault": str(text)} if len(value) == 1:
                return Vault(text, self._secrets)
            case dict():
                return {key: self._value(item, unsafe) for key, item in value.items()}
            case list():
                return [self._value(item, unsafe) for item in value]
        return value


def _put(known: dict[str, Raw], said: Mapping[str, Raw]) -> None:
    """What was known already, and is only said again, stays where it was said first."""
    for name, raw in said.items():
        if name not in known or not _same(known[name].value, raw.value):
            known[name] = raw


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)  # for Python, True is 1


def _mapping(said: Any, place: Place, what: str) -> Mapping[str, Any]:
    if isinstance(said, dict):
        return said
    raise InventoryError(f"{what} must be an object of JSON", place=place, remedy="It is written as {...}.")


def _names(said: Any, place: Place) -> list[str]:
    if said is None:
        return []
    if isinstance(said, list) and all(isinstance(name, str) and name for name in said):
        return said
    raise InventoryError("must be a list of names", place=place, remedy='It is written as ["name", ...].')
