"""From one file in INI form to groups and hosts in the tree.

The rules are those of Ansible's own reader (ansible-core 2.19, plugins/inventory/ini.py), the strange ones as well: a
line of a host is split like a shell's and may end in a comment, a line of `[group:vars]` is everything behind the `=`,
and a value is a Python literal where it can be one, else a string.
"""

from __future__ import annotations

import ast
import logging
import re
import shlex
import warnings
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.forms.names import BadName, expand
from remotejobs.inventory.tree import UNGROUPED, Group, Tree, priority_of
from remotejobs.inventory.values import Raw, Secret

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_GROUP_NAME = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_QUOTING = re.compile(r"[\"'\\#]")
_SPACES = re.compile(r"[ \t\r\n]+")
_PLAIN_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|\d+(?:\.\d+){2,}")
_CONSTANTS = frozenset({"True", "False", "None"})
_COMMENTS = (";", "#")
_log = logging.getLogger(__name__)


def has_sections(text: str) -> bool:
    """Whether a line of it is the head of a section, `[web]` or `[web:vars]`, as in no YAML file."""
    return any(_SECTION.fullmatch(line.strip()) for line in text.splitlines())


def is_settings(text: str) -> bool:
    """Whether it is in INI form but holds a program's settings: its first host would be `name = value`."""
    kind = ""
    for line in _said(text):
        section = _SECTION.fullmatch(line)
        if section is None:
            return kind in ("", "hosts") and line.split()[1:2] == ["="]
        kind = section[2] or ""
    return False


def first_sections(text: str) -> list[str]:
    """The groups named before anything else: these Ansible keeps of a file that it then cannot read."""
    heads = map(_SECTION.fullmatch, _said(text))
    return [head[1] for head in takewhile(lambda head: head is not None, heads) if head]


def _said(text: str) -> Iterator[str]:
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if line and not line.startswith(_COMMENTS))


def read_ini(text: str, path: Path, tree: Tree, *, is_secret: bool = False) -> None:
    """Add what the file says to the tree. Raises `InventoryError`; no message shows a value, which may be secret.

    `is_secret`: the text was in a vault.
    """
    reader = _IniReader(path, tree, Secret if is_secret else str)
    for number, line in enumerate(text.splitlines(), 1):
        reader.line(line.strip(), Place(str(path), number))
    reader.finish()


class _IniReader:
    def __init__(self, path: Path, tree: Tree, text: type[str]) -> None:
        self._path = path
        self._text = text
        self._tree = tree
        self._group = tree.groups[UNGROUPED]
        self._read: Callable[[str, Place], None] = self._host
        # Groups that were named before they were declared: where, and by which parents.
        self._children: dict[str, tuple[Place, list[Group]]] = {}
        self._with_variables: dict[str, Place] = {}

    def line(self, line: str, place: Place) -> None:
        if not line or line.startswith(_COMMENTS):
            return
        section = _SECTION.fullmatch(line)
        if section:
            self._section(section[1], section[2] or "hosts", place)
        elif line.startswith("[") and line.endswith("]"):
            raise InventoryError(
                "this is no section", place=place, remedy="Write [group], [group:vars] or [group:children], no spaces."
            )
        else:
            self._read(line, place)

    def finish(self) -> None:
        for name, (place, parents) in self._children.items():
            raise InventoryError(
                f"the group {name!r} below {parents[-1].name!r} is not declared",
                place=place,
                remedy=f"Add a section [{name}]; it may be empty.",
            )
        for name, place in self._with_variables.items():
            raise InventoryError(
                f"the group {name!r} has variables but is not declared",
                place=place,
                remedy=f"Add a section [{name}]; it may be empty.",
            )

    def _section(self, name: str, kind: str, place: Place) -> None:
        readers = {"hosts": self._host, "vars": self._variable, "children": self._child}
        if kind not in readers:
            raise InventoryError(
                f"a section cannot be of the kind {kind!r}", place=place, remedy="Known are :hosts, :vars, :children."
            )
        if kind == "vars":
            if name not in self._tree.groups and name not in self._children:
                self._with_variables[name] = place
        else:
            self._with_variables.pop(name, None)
        self._group, self._read = self._tree.group(name), readers[kind]
        if kind != "vars" and name in self._children:
            named_at, parents = self._children.pop(name)
            for parent in parents:
                self._put_below(parent, self._group, named_at)

    def _child(self, line: str, place: Place) -> None:
        match = _GROUP_NAME.match(line)
        if not match or match.end() != len(line):
            raise InventoryError("this is no name of a group", place=place, remedy="Write one group's name a line.")
        name = match[1]
        if name in self._tree.groups:
            self._put_below(self._group, self._tree.group(name), place)
        else:
            self._children.setdefault(name, (place, []))[1].append(self._group)

    def _put_below(self, parent: Group, child: Group, place: Place) -> None:
        if not self._tree.add_child(parent, child):
            raise InventoryError(
                f"the group {child.name!r} cannot be below {parent.name!r}: that closes a circle",
                place=place,
                remedy="Remove it here, or remove the way that leads from it back to the other.",
            )

    def _variable(self, line: str, place: Place) -> None:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise InventoryError("this is no variable", place=place, remedy="Write name=value.")
        raw = self._raw(value, place.at(place.line, name))
        if name == "ansible_group_priority":
            self._group.priority = priority_of(raw)
        else:
            self._group.variables[name] = raw

    def _raw(self, text: str, place: Place) -> Raw:
        value = _value(text)
        return Raw(self._text(value) if isinstance(value, str) else value, place)

    def _host(self, line: str, place: Place) -> None:
        words = _words(line, place)
        if "=" in words[0]:  # the line may be a password's: as the name of a host it would be shown everywhere
            raise InventoryError(
                "the line begins with a variable, and with no host",
                place=place,
                remedy="Write HOST name=value, or put it below [GROUP:vars].",
            )
        variables: dict[str, Raw] = {}
        for number, word in enumerate(words[1:], 2):
            name, equals, value = word.partition("=")
            if not equals:
                raise InventoryError(
                    f"word {number} of the host's line is no variable",
                    place=place,
                    remedy="Write name=value, and put a value with spaces in quotation marks.",
                )
            variables[name] = self._raw(value, place.at(place.line, name))
        for host, port in _expanded(words[0], place):
            self._tree.host(host, self._group, place, self._path, port).variables |= variables


def _words(line: str, place: Place) -> list[str]:
    if not _QUOTING.search(line):  # as shlex would, in a tenth of the time
        return _SPACES.split(line.strip(" \t\r\n"))
    try:
        words = shlex.split(line, comments=True)
    except ValueError as exc:
        raise InventoryError(
            f"the host's line is not whole: {str(exc).lower()}", place=place, remedy="Close the quotation mark."
        ) from exc
    if _is_cut(line, words):
        _log.warning(
            "%s: the value of %s ends before its #, and the rest of the line is a comment. Put the value in quotation "
            "marks if the # belongs to it.",
            place,
            words[-1].partition("=")[0],
        )
    return words


def _is_cut(line: str, words: list[str]) -> bool:
    """Whether the comment begins in the middle of a word, as it does at any # outside of quotation marks."""
    for mark in re.finditer(r"(?<=\S)#", line):
        try:
            if shlex.split(line[: mark.start()]) == words:
                return True
        except ValueError:  # in the middle of quotation marks
            continue
    return False


def _expanded(text: str, place: Place) -> list[tuple[str, int | None]]:
    if text == "---":
        raise InventoryError("`---` begins a YAML file", place=place, remedy="Name the file .yml, or remove the line.")
    try:
        names, port = expand(text)
    except BadName as exc:
        raise InventoryError(str(exc), place=place, remedy="Correct the host's name.") from exc
    if not text or (text.endswith(":") and port is None):
        raise InventoryError(
            f"{text!r} is no host" if text else "the host has no name", place=place, remedy="Write HOST or HOST:PORT."
        )
    return [(name, port) for name in names]


def _value(text: str) -> Any:
    """The Python literal that it is, or the text itself; what a variable cannot hold becomes what comes nearest."""
    if _PLAIN_WORD.fullmatch(text) and text not in _CONSTANTS:
        return text  # which literal_eval finds out too, in fifty times the time
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return _plain(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _plain(value: Any) -> Any:
    match value:
        case list() | tuple() | set():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case bytes():
            return value.decode()
        case complex():
            return str(value)
        case _:
            return "..." if value is ... else value
