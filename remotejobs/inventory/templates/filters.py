"""The filters of Ansible that inventories use; Jinja2 has the others (default, join, ...)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml
from jinja2 import Environment, Undefined, UndefinedError, pass_environment

from remotejobs.inventory.templates.library import FILTERS as _OF_THE_LIBRARY
from remotejobs.inventory.templates.plain import plain
from remotejobs.inventory.templates.subnets import FILTERS as _OF_COLLECTIONS
from remotejobs.inventory.templates.words import regex_flags, yes_or_no


def _mandatory(value: Any, msg: str | None = None) -> Any:
    if isinstance(value, Undefined):
        raise UndefinedError(msg or "a mandatory variable is not defined")
    return value


def _ternary(value: Any, true_val: Any, false_val: Any, none_val: Any = None) -> Any:
    if value is None and none_val is not None:
        return none_val
    return true_val if value else false_val


def _regex_replace(
    value: Any,
    pattern: str = "",
    replacement: str = "",
    ignorecase: bool = False,
    multiline: bool = False,
    count: int = 0,
) -> str:
    return re.sub(pattern, replacement, str(value), count=count, flags=regex_flags(ignorecase, multiline))


def _regex_search(value: Any, pattern: str, *groups: str, ignorecase: bool = False, multiline: bool = False) -> Any:
    """What matches, or of it the groups that are named `\\1` or `\\g<name>`."""
    match = re.search(pattern, str(value), regex_flags(ignorecase, multiline))
    if match is None or not groups:
        return match[0] if match else None
    return [match[_group(group)] for group in groups]


def _group(text: str) -> int | str:
    named = re.fullmatch(r"\\g<(\w+)>|\\(\d+)", text)
    if named is None:
        raise ValueError(f"regex_search: {text!r} is no group; write \\1 or \\g<name>")
    word = named[1] or named[2]
    return int(word) if word.isdecimal() else word


def _regex_findall(value: Any, pattern: str, multiline: bool = False, ignorecase: bool = False) -> list[Any]:
    return re.findall(pattern, str(value), regex_flags(ignorecase, multiline))


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


def _hash(value: Any, hashtype: str = "sha1") -> str:
    return hashlib.new(hashtype, str(value).encode()).hexdigest()


def _to_yaml(value: Any, default_flow_style: bool | None = None, **options: Any) -> str:
    text: str = yaml.dump(
        plain(value), Dumper=yaml.SafeDumper, allow_unicode=True, default_flow_style=default_flow_style, **options
    )
    return text


def _to_nice_yaml(value: Any, indent: int = 4, **options: Any) -> str:
    return _to_yaml(value, **{"indent": indent, "default_flow_style": False, **options})


def _from_yaml(value: Any) -> Any:
    try:
        return yaml.safe_load(value) if isinstance(value, str) else value
    except yaml.YAMLError:
        raise ValueError("from_yaml: this is not valid YAML") from None  # whose words quote it


@pass_environment
def _extract(environment: Environment, item: Any, container: Any, morekeys: Any = None) -> Any:
    more = [] if morekeys is None else morekeys if isinstance(morekeys, list) else [morekeys]
    value = container
    for key in (item, *more):
        value = environment.getitem(value, key)
    return value


_OWN: dict[str, Callable[..., Any]] = {
    **_OF_THE_LIBRARY,
    "b64decode": _b64decode,
    "b64encode": _b64encode,
    "bool": yes_or_no,
    "combine": _combine,
    "dict2items": lambda value: [{"key": key, "value": item} for key, item in value.items()],
    "difference": lambda a, b: _unique(item for item in a if item not in b),
    "extract": _extract,
    "flatten": _flatten,
    "from_json": json.loads,
    "from_yaml": _from_yaml,
    "hash": _hash,
    "intersect": lambda a, b: _unique(item for item in a if item in b),
    "items2dict": lambda value: {item["key"]: item["value"] for item in value},
    "mandatory": _mandatory,
    "md5": lambda value: _hash(value, "md5"),
    "quote": lambda value: shlex.quote(str(value)),
    "regex_escape": lambda value: re.escape(str(value)),
    "regex_findall": _regex_findall,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "sha1": _hash,
    "split": _split,
    "symmetric_difference": lambda a, b: _unique([*(i for i in a if i not in b), *(i for i in b if i not in a)]),
    "ternary": _ternary,
    "to_json": _to_json,
    "to_nice_json": lambda value, indent=4, sort_keys=True: _to_json(value, indent=indent, sort_keys=sort_keys),
    "to_nice_yaml": _to_nice_yaml,
    "to_yaml": _to_yaml,
    "union": lambda a, b: _unique([*a, *b]),
}
FILTERS: dict[str, Callable[..., Any]] = {
    **_OWN,
    **{f"ansible.builtin.{name}": call for name, call in _OWN.items()},
    **_OF_COLLECTIONS,
    **{f"ansible.{where}.{name}": call for name, call in _OF_COLLECTIONS.items() for where in ("utils", "netcommon")},
}
