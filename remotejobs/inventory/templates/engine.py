"""Jinja2 as Ansible uses it in inventories, in a sandbox: `{{ port }}` alone keeps its type, undefined is an error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from jinja2 import ChainableUndefined, StrictUndefined, Template, TemplateError, UndefinedError
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.templates.filters import FILTERS
from remotejobs.inventory.templates.judging import TESTS
from remotejobs.inventory.templates.lookups import Lookups, globals_of
from remotejobs.inventory.templates.names import TemplateNames
from remotejobs.inventory.templates.plain import plain
from remotejobs.inventory.vault.secrets import GIVE

# All that an expression which Jinja2 could compile may raise when its operands do not fit.
_BAD_EXPRESSION = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


_OUR_NAMES = {
    "LazyMapping": "dict", "LazyList": "list", "Scope": "dict", "Secret": "str", "UnsafeSecret": "str", "Unsafe": "str",
    "_Undefined": "undefined", "HostVars": "dict", "yes_or_no": "bool", "is_version": "version",
}  # fmt: skip


class _Undefined(ChainableUndefined, StrictUndefined):
    """An error wherever it is used, except that `a.b | default(c)` may look into an undefined `a`."""

    __slots__ = ()


class _Context(Context):
    """Looks names up in the scope, one by one, instead of in a dictionary that would need all of them."""

    scope: TemplateNames

    def resolve_or_missing(self, key: str) -> Any:
        if key in self.vars:
            return self.vars[key]
        if key in self.scope:
            return self.scope[key]
        return super().resolve_or_missing(key)


class _CodeGenerator(NativeCodeGenerator):
    def _output_const_repr(self, group: Iterable[Any]) -> str:
        """Keep the type of a lone constant (`{{ 22 }}`), which Jinja2 would make a string."""
        constants = list(group)
        return repr(constants[0] if len(constants) == 1 else _joined(constants))


class _Environment(ImmutableSandboxedEnvironment):
    code_generator_class = _CodeGenerator
    context_class = _Context


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    environment = _Environment(undefined=_Undefined, trim_blocks=True)
    environment.filters |= FILTERS
    environment.tests |= TESTS
    environment.globals |= globals_of(Lookups(_file_filled), lambda context: cast("_Context", context).scope)
    return environment


@lru_cache(maxsize=2048)  # hosts of one group share the text of its templates
def _compiled(text: str) -> Template:
    return _environment().from_string(_keep_backslashes(text) if "\\" in text else text)


def _keep_backslashes(text: str) -> str:
    """As in Ansible a backslash between {{ and }} is one, so that `regex_replace('(a).', '\\1')` works as it reads."""
    tokens = []
    in_expression = False
    for _, kind, token in _environment().lex(text):
        if kind in ("variable_begin", "variable_end"):
            in_expression = kind == "variable_begin"
        doubled = in_expression and kind == "string"
        tokens.append(token.replace("\\", "\\\\") if doubled else token)
    return "".join(tokens)


def fill(text: str, scope: TemplateNames, place: Place, is_secret: Callable[[], bool] = bool) -> Any:
    """The value of a template; an Undefined when it needs a variable that is not there.

    Raises `InventoryError`, which quotes no values when it `is_secret`: when one that it read was in a vault.
    """
    try:
        value = _run(_compiled(text), scope)
    except UndefinedError as exc:
        return _Undefined(hint=exc.message)
    except _BAD_EXPRESSION as exc:
        if is_secret():
            raise InventoryError(
                "is no good template, or its values do not fit", place=place, remedy="Check it with ansible-vault."
            ) from None
        raise _bad(exc, place) from exc
    # Jinja2 drops newlines at the end; a `|` block keeps them in Ansible.
    missing = _newlines(text) - _newlines(value) if isinstance(value, str) else 0
    return value + "\n" * missing if missing else value


def _file_filled(text: str, names: TemplateNames) -> Any:
    """What a file says as a template, which is text."""
    value = _run(_compiled(text.rstrip("\n")), names)
    return "" if value is None else str(plain(value)) + "\n" * _newlines(text)


def final(value: Any, place: Place, closed: Sequence[Place] = ()) -> Any:
    """The plain value of what a template gave. Raises `InventoryError`, also when something in it is undefined.

    `closed` are encrypted files without a password, which may be what defines it.
    """
    try:
        return plain(value)
    except UndefinedError as exc:
        raise InventoryError(
            f"cannot be filled in: {_in_words(exc.message or '')}", place=place, remedy=_undefined_remedy(closed)
        ) from exc
    except _BAD_EXPRESSION as exc:
        raise _bad(exc, place) from exc


def _undefined_remedy(closed: Sequence[Place]) -> str:
    if closed:
        return f"It may be in {' or '.join(place.file for place in closed)}, which is encrypted. {GIVE}"
    return "Set that variable, or add `| default(...)`."


def _run(template: Template, scope: TemplateNames) -> Any:
    context = _Context(_environment(), dict(template.globals), None, template.blocks)
    context.scope = scope
    parts = list(template.root_render_func(context))
    if not parts:
        return None
    if len(parts) == 1:
        return list(parts[0]) if isinstance(parts[0], Iterator) else parts[0]
    return _joined(map(plain, parts))


def _joined(parts: Iterable[Any]) -> str:
    return "".join("" if part is None else str(part) for part in parts)


def _newlines(text: str) -> int:
    """How many newlines a text ends with."""
    return len(text) - len(text.rstrip("\n"))


def _bad(exc: Exception, place: Place) -> InventoryError:
    # Not the text itself: a password with a {{ in it would be shown.
    problem = _in_words(str(exc).rstrip("."))
    return InventoryError(f"is no good template: {problem}", place=place, remedy=_remedy(problem))


def _in_words(message: str) -> str:
    """An error's message without the names of our own classes and functions, which mean nothing to others."""
    for name, word in _OUR_NAMES.items():
        message = re.sub(rf"(remotejobs\.[\w.]+\.)?\b{name}\b", word, message)
    message = re.sub(r"(?:\w+\.<locals>\.|(?<![\w.'])_)(\w+\(\))", r"\1", message)
    return re.sub(r"(?:\w+\.)*<lambda>\(\)", "it", message)


def _remedy(problem: str) -> str:
    unknown = re.match(r"No (filter|test) named '([^']*)'", problem)
    if unknown is None:
        return "Correct the expression; a literal {{ needs the tag !unsafe before the value."
    what, name = unknown[1], unknown[2].rpartition(".")[2]
    known: Mapping[str, Any] = _environment().filters if what == "filter" else _environment().tests
    near = difflib.get_close_matches(name, known, 3)
    hint = f"Did you mean {', '.join(near)}?" if near else f"docs/reference/inventories.md lists the {what}s."
    return f"{hint} Of Ansible's collections only the filters of addresses are read."
