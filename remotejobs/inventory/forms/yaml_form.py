"""From one YAML document to groups and hosts in the tree."""

from __future__ import annotations

import difflib

import yaml

from remotejobs.inventory.errors import InventoryError
from remotejobs.inventory.forms.document import MappingEntry, YamlDocument, is_null, kind, line_of
from remotejobs.inventory.forms.names import BadName, expand
from remotejobs.inventory.tree import Group, Tree, priority_of
from remotejobs.inventory.values import Raw

_SECTIONS = ("hosts", "vars", "children")


def read_file(document: YamlDocument, tree: Tree) -> None:
    """Add what the document says to the tree. Raises `InventoryError`."""
    if document.root is None or is_null(document.root):
        return
    if isinstance(document.root, yaml.SequenceNode):
        raise InventoryError(
            "holds a list, as a playbook does, and no groups of hosts",
            place=document.place,
            remedy="Name the inventory that the playbook is run with.",
        )
    if not isinstance(document.root, yaml.MappingNode):
        raise InventoryError(
            f"{kind(document.root)} is no inventory", place=document.place, remedy="Write groups and hosts in it."
        )
    groups = list(document.mapping(document.root, document.place, "an inventory"))
    if document.path.suffix == ".json" and not any(
        isinstance(entry.node, yaml.MappingNode) or is_null(entry.node) for entry in groups
    ):
        raise InventoryError(
            "is JSON, but no inventory: it has neither groups nor `_meta`",
            place=document.place,
            remedy="Name what `ansible-inventory --list` prints, or a file with groups and hosts.",
        )
    reader = _YamlReader(document, tree)
    for entry in groups:
        reader.group(entry)


def plugin_of(document: YamlDocument) -> str:
    """The name of the inventory plugin that the file configures, "" when it does not."""
    root = document.root
    if not isinstance(root, yaml.MappingNode):
        return ""
    named = (value for key, value in root.value if key.value == "plugin" and isinstance(value, yaml.ScalarNode))
    return next((str(node.value) for node in named if not is_null(node)), "")


class _YamlReader:
    def __init__(self, document: YamlDocument, tree: Tree) -> None:
        self._document = document
        self._tree = tree

    def group(self, entry: MappingEntry) -> Group:
        if not entry.key:
            raise InventoryError("a group has an empty name", place=entry.place)
        group = self._tree.group(entry.key)
        if is_null(entry.node):
            return group
        for section in self._document.mapping(entry.node, entry.place, f"the group {entry.key!r}"):
            if section.key not in _SECTIONS:
                raise _unknown_section(section)
            if is_null(section.node):
                continue
            getattr(self, f"_{section.key}")(group, section)
        return group

    def _vars(self, group: Group, section: MappingEntry) -> None:
        for entry in self._document.mapping(section.node, section.place, "`vars`"):
            raw = Raw(self._document.value(entry.node, entry.place), entry.place)
            if entry.key == "ansible_group_priority":
                group.priority = priority_of(raw)
            else:
                group.variables[entry.key] = raw

    def _children(self, group: Group, section: MappingEntry) -> None:
        for entry in self._names(section):
            if not self._tree.add_child(group, self.group(entry)):
                raise InventoryError(
                    f"the group {entry.key!r} cannot be below {group.name!r}: that closes a circle",
                    place=entry.place,
                    remedy="Remove it here, or remove the way that leads from it back to the other.",
                )

    def _hosts(self, group: Group, section: MappingEntry) -> None:
        for entry in self._names(section):
            variables = self._host_variables(entry)
            try:
                names, port = expand(entry.key)
            except BadName as exc:
                raise InventoryError(str(exc), place=entry.place, remedy="Correct the host's name.") from exc
            for name in names:
                member = self._tree.host(name, group, entry.place, self._document.path, port)
                member.variables |= variables

    def _host_variables(self, entry: MappingEntry) -> dict[str, Raw]:
        if not entry.key:
            raise InventoryError("a host has an empty name", place=entry.place)
        if is_null(entry.node):
            return {}
        entries = self._document.mapping(entry.node, entry.place, f"the host {entry.key!r}")
        return {e.key: Raw(self._document.value(e.node, e.place), e.place) for e in entries}

    def _names(self, section: MappingEntry) -> list[MappingEntry]:
        """Hosts or children; a single name may stand there without a colon, as Ansible allows."""
        node = section.node
        if isinstance(node, yaml.ScalarNode) and isinstance(name := self._document.value(node, section.place), str):
            null = yaml.ScalarNode("tag:yaml.org,2002:null", "", node.start_mark, node.end_mark)
            return [MappingEntry(name, section.place.at(line_of(node), name), null)]
        return list(self._document.mapping(node, section.place, f"`{section.key}`"))


def _unknown_section(section: MappingEntry) -> InventoryError:
    near = difflib.get_close_matches(section.key, _SECTIONS, 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return InventoryError(
        f"{section.key!r} is no part of a group",
        place=section.place,
        remedy=f"{hint}A group has hosts, vars and children; groups below it belong under children.",
    )
