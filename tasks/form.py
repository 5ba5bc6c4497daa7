"""The run form of a flow: what it says of parameters that the docstring does not describe, their order, closed groups.

Prefect takes descriptions from the docstring alone, so that every flow would have to repeat what `Access` is. The UI
shows a group of fields open, and closed only where it may be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import Parameter, Signature, cleandoc, signature
from typing import Annotated, Any, Optional, get_args, get_type_hints

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from remotejobs.short_form import in_tabs

_ARGS = "Args:"
_REACH = "access"


def describe_parameters(function: Callable[..., Any]) -> None:
    """Add to its docstring what the annotations of its parameters say: a field's description, or a model's own.

    What the docstring describes itself stays as it is.
    """
    text = cleandoc(function.__doc__ or "").splitlines()
    said = [line for line in text if line.startswith("    ")]
    more = [
        f"    {name}: {words}"
        for name, words in _described(function)
        if not any(line.startswith(f"    {name}: ") for line in said)
    ]
    if more:
        text = text if _ARGS in text else [*text, *([""] if text else []), _ARGS]
        at = text.index(_ARGS) + 1
        function.__doc__ = "\n".join([*text[:at], *more, *text[at:]])


def form_of(function: Callable[..., Any]) -> Signature:
    """The parameters as the form shows them: what is required first, then how hosts are reached, then the rest.

    A group that has a default is closed, and left out unless it is opened.
    """
    given = signature(function, eval_str=True).parameters.values()
    shown = [_closed(each) if is_group(each) else each for each in given]
    keywords = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in shown]
    return Signature(sorted(keywords, key=_place))


def groups_of(function: Callable[..., Any]) -> frozenset[str]:
    """The names of the groups that may be left out."""
    given = signature(function, eval_str=True).parameters
    return frozenset(name for name, each in given.items() if is_group(each))


def is_group(parameter: Parameter) -> bool:
    return isinstance(parameter.default, BaseModel)


def _closed(group: Parameter) -> Parameter:
    optional: Any = Optional[group.annotation]  # noqa: UP045 - a type made at run time
    return group.replace(annotation=Annotated[optional, _Group], default=None)


class _Group:
    """Of a group that may be left out: what is wrong in it is said of the very field."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        group, nothing = handler(schema)["anyOf"]
        return in_tabs([handler.resolve_ref_schema(group), nothing], group)


def _place(parameter: Parameter) -> int:
    if parameter.default is not Parameter.empty:
        return 2
    return int(parameter.name == _REACH)


def _described(function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    for name, hint in get_type_hints(function, include_extras=True).items():
        fields = [each for each in get_args(hint) if isinstance(each, FieldInfo) and each.description]
        if fields:
            yield name, str(fields[-1].description)
        elif name != "return" and isinstance(hint, type) and issubclass(hint, BaseModel) and hint.__doc__:
            yield name, hint.__doc__.splitlines()[0]
