"""YAML with places: nodes keep their lines until they become values, so that errors can name them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.values import Secret, Unsafe, UnsafeSecret, Vault
from remotejobs.inventory.vault.secrets import Secrets

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({f"{_PREFIX}map", f"{_PREFIX}seq", "!unsafe"})
_VAULT_TAGS = frozenset({"!vault", "!vault-encrypted"})
# What PyYAML lets through for a scalar that its explicit tag does not fit (`!!bool maybe`, `2024-99-99`).
_BAD_SCALAR = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class MappingEntry:
    """One key of a mapping: its place and the node under it."""

    key: Any
    place: Place
    node: yaml.Node


class YamlDocument:
    """What one YAML file says; `root` is None when that is nothing. No error shows a value: any may be secret."""

    def __init__(self, path: Path, text: str, secrets: Secrets, *, is_secret: bool = False) -> None:
        """`secrets` open its `!vault` values. `is_secret`: the text itself was in a vault."""
        self.path = path
        self.place = Place(str(path))
        self._secrets = secrets
        self._is_secret = is_secret
        # JSON may be indented with tabs, YAML may not; inside of JSON's strings a raw tab is not allowed anyway.
        self._loader = _Loader(text.replace("\t", " ") if path.suffix == ".json" else text)
        try:
            self.root: yaml.Node | None = self._loader.get_single_node()
        except yaml.YAMLError as exc:
            raise self._unreadable(exc) from None if is_secret else exc

    def mapping(self, node: yaml.Node, place: Place, what: str) -> Iterator[MappingEntry]:
        """The entries of a mapping whose keys are words; `what` names it in errors."""
        if not isinstance(node, yaml.MappingNode):
            raise InventoryError(
                f"{what} must be a mapping, not {kind(node)}", place=place, remedy="Write `name: value` lines under it."
            )
        for entry in self._entries(node, place).values():
            if not isinstance(entry.key, str):
                raise InventoryError(
                    f"the name {entry.key!r} is not a string", place=entry.place, remedy="Put it in quotation marks."
                )
            yield entry

    def value(self, node: yaml.Node, place: Place, *, unsafe: bool = False) -> Any:
        """The Python value of a node; strings under `!unsafe` and `!vault` are marked as such."""
        if node.tag in _VAULT_TAGS:
            return Vault(self._vault_text(node, place), self._secrets)
        unsafe = unsafe or node.tag == "!unsafe"
        if isinstance(node, yaml.ScalarNode):
            plain = self._scalar(node, place)
            return self._marked(plain, unsafe=unsafe) if isinstance(plain, str) else plain
        if node.tag not in _PLAIN_TAGS:
            raise self._unknown_tag(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(item, place.at(line_of(item), f"[{n}]"), unsafe=unsafe) for n, item in enumerate(node.value)
            ]
        entries = self._entries(node, place).values()
        return {entry.key: self.value(entry.node, entry.place, unsafe=unsafe) for entry in entries}

    def _marked(self, text: str, *, unsafe: bool) -> str:
        if self._is_secret:
            return UnsafeSecret(text) if unsafe else Secret(text)
        return Unsafe(text) if unsafe else text

    def _vault_text(self, node: yaml.Node, place: Place) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        raise InventoryError(f"{kind(node)} cannot be encrypted", place=place, remedy="Put a vault's text behind it.")

    def _entries(self, node: yaml.Node, place: Place) -> dict[Any, MappingEntry]:
        merged: dict[Any, MappingEntry] = {}
        own: dict[Any, MappingEntry] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_PREFIX}merge":
                merged = self._merged(value_node, place) | merged
                continue
            entry = self._entry(key_node, value_node, place)
            if entry.key in own:
                raise InventoryError(
                    f"the key {entry.key!r} is here twice (first on line {own[entry.key].place.line})",
                    place=entry.place,
                    remedy="Keep one of the two: only the last would count.",
                )
            own[entry.key] = entry
        return merged | own if merged else own

    def _merged(self, node: yaml.Node, place: Place) -> dict[Any, MappingEntry]:
        merged: dict[Any, MappingEntry] = {}
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(source, yaml.MappingNode):
                raise InventoryError(
                    f"`<<` takes a mapping, not {kind(source)}",
                    place=place.at(line_of(source), "<<"),
                    remedy="Refer to a mapping by its anchor.",
                )
            merged = self._entries(source, place) | merged
        return merged

    def _entry(self, key_node: yaml.Node, value_node: yaml.Node, place: Place) -> MappingEntry:
        if not isinstance(key_node, yaml.ScalarNode):
            raise InventoryError(
                f"{kind(key_node)} cannot be a key",
                place=Place(place.file, line_of(key_node), place.keys),
                remedy="Put a value that begins with {{ in quotation marks.",
            )
        key = self._scalar(key_node, place)
        return MappingEntry(key, place.at(line_of(key_node), key), value_node)

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        if node.tag == f"{_PREFIX}str":
            return node.value
        if node.tag == "!unsafe":
            node = yaml.ScalarNode(self._loader.resolve(yaml.ScalarNode, node.value, (True, False)), node.value)
        if not node.tag.startswith(_PREFIX):
            raise self._unknown_tag(node, place)
        try:
            return self._loader.construct_object(node)
        except _BAD_SCALAR as exc:
            raise InventoryError(
                f"this is no {node.tag.removeprefix(_PREFIX)}",
                place=place,
                remedy="Put it in quotation marks to make it a string.",
            ) from exc

    def _unknown_tag(self, node: yaml.Node, place: Place) -> InventoryError:
        tag = node.tag.replace(_PREFIX, "!!")
        return InventoryError(f"the tag {tag} is not known", place=place, remedy="Known are !unsafe and !vault.")

    def _unreadable(self, exc: yaml.YAMLError) -> InventoryError:
        mark = getattr(exc, "problem_mark", None)
        problem = getattr(exc, "problem", None) or str(exc).splitlines()[0]
        if "single document" in str(exc):
            return InventoryError(
                "holds more than one YAML document",
                place=Place(self.place.file, mark.line + 1 if mark else 0),
                remedy="Remove the `---` line, or make a file of each document.",
            )
        return InventoryError(
            "is not valid YAML" if self._is_secret else f"is not valid YAML: {problem}",
            place=Place(self.place.file, mark.line + 1 if mark else 0),
            remedy="Check that line's indentation, quotes and brackets.",
        )


def line_of(node: yaml.Node) -> int:
    """The line, from 1, on which a node begins."""
    return int(node.start_mark.line) + 1 if node.start_mark else 0


def is_null(node: yaml.Node) -> bool:
    """Whether a key stands there with nothing under it."""
    return bool(node.tag == f"{_PREFIX}null")


def kind(node: yaml.Node) -> str:
    """What a node is, in words."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "nothing" if is_null(node) else "a single value"


def read_text(path: Path) -> str:
    """What the file says. Raises `InventoryError` when it cannot be read or is no text."""
    place = Place(str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InventoryError("is not UTF-8 text", place=place, remedy="Save it as UTF-8.") from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise InventoryError(
            f"cannot be read ({reason})", place=place, remedy="Check the path and its permissions."
        ) from exc
    return text
