"""The filters, tests and lookups of Ansible that inventories use; Jinja2 has the others (default, join, ...)."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from posixpath import basename, dirname, expanduser
from typing import Any

from jinja2 import Undefined, UndefinedError

from remotejobs.inventory.plain import plain

_TRUE = frozenset({"y", "yes", "on", "1", "true", "t", "1.0"})
_FALSE = frozenset({"n", "no", "off", "0", "false", "f", "0.0"})


def _bool(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"{value!r} is neither true nor false")


def _mandatory(value: Any, msg: str | None = None) -> Any:
    if isinstance(value, Undefined):
        raise UndefinedError(msg or "a mandatory variable is not defined")
    return value


def _ternary(value: Any, true_val: Any, false_val: Any, none_val: Any = None) -> Any:
    if value is None and none_val is not None:
        return none_val
    return true_val if value else false_val


def _regex_flags(ignorecase: bool, multiline: bool) -> re.RegexFlag:
    return (re.IGNORECASE if ignorecase else re.NOFLAG) | (re.MULTILINE if multiline else re.NOFLAG)


def _regex_replace(
    value: Any,
    pattern: str = "",
    replacement: str = "",
    ignorecase: bool = False,
    multiline: bool = False,
    count: int = 0,
) -> str:
    return re.sub(pattern, replacement, str(value), count=count, flags=_regex_flags(ignorecase, multiline))


def _regex_search(value: Any, pattern: str, *, ignorecase: bool = False, multiline: bool = False) -> str | None:
    match = re.search(pattern, str(value), _regex_flags(ignorecase, multiline))
    return match[0] if match else None


def _to_json(value: Any, **options: Any) -> str:
    return json.dumps(plain(value), default=str, **options)


def _combine(value: Mapping[Any, Any], *others: Mapping[Any, Any], recursive: bool = False) -> dict[Any, Any]:
    merged = dict(value)
    for other in others:
        for key, item in other.items():
            both = recursive and isinstance(item, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = _combine(merged[key], item, recursive=True) if both else item
    return merged


def _split(value: str, separator: str | None = None, maxsplit: int = -1) -> list[str]:
    return value.split(separator, maxsplit)


def _flatten(value: Iterable[Any]) -> list[Any]:
    flat: list[Any] = []
    for item in plain(value):
        flat += _flatten(item) if isinstance(item, list) else [item] if item is not None else []
    return flat


def _unique(items: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _b64encode(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _b64decode(value: str) -> str:
    return base64.b64decode(value).decode()


def _lookup(kind: str, *terms: str, default: str = "", **options: object) -> str:
    plugin = kind.removeprefix("ansible.builtin.")
    if plugin == "env" and not options:
        return ",".join(os.environ.get(term, default) for term in terms)
    if plugin == "file" and not options:
        return ",".join(_file(term) for term in terms)
    raise ValueError(f"lookup('{kind}') is not read here; env (with default=) and file are, without further options")


def _file(term: str) -> str:
    path = Path(expanduser(term))
    if not path.is_absolute():
        raise ValueError(f"lookup('file', {term!r}) needs an absolute path; begin it with {{{{ inventory_dir }}}} or ~")
    try:
        return path.read_text(encoding="utf-8").rstrip()
    except OSError as exc:
        raise ValueError(f"lookup('file', {term!r}): {exc.strerror}") from exc


_OWN: dict[str, Callable[..., Any]] = {
    "b64decode": _b64decode,
    "b64encode": _b64encode,
    "basename": basename,
    "bool": _bool,
    "combine": _combine,
    "dict2items": lambda value: [{"key": key, "value": item} for key, item in value.items()],
    "difference": lambda a, b: _unique(item for item in a if item not in b),
    "dirname": dirname,
    "expanduser": expanduser,
    "flatten": _flatten,
    "from_json": json.loads,
    "intersect": lambda a, b: _unique(item for item in a if item in b),
    "items2dict": lambda value: {item["key"]: item["value"] for item in value},
    "mandatory": _mandatory,
    "quote": lambda value: shlex.quote(str(value)),
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "split": _split,
    "ternary": _ternary,
    "to_json": _to_json,
    "union": lambda a, b: _unique([*a, *b]),
}
FILTERS: dict[str, Callable[..., Any]] = _OWN | {f"ansible.builtin.{name}": call for name, call in _OWN.items()}
TESTS: dict[str, Callable[..., bool]] = {
    "match": lambda value, pattern: re.match(pattern, str(value)) is not None,
    "search": lambda value, pattern: re.search(pattern, str(value)) is not None,
}
GLOBALS: dict[str, Callable[..., Any]] = {"lookup": _lookup}
