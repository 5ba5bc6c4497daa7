"""What the run form says of a flow's parameters that its docstring does not describe.

Prefect takes descriptions from the docstring alone, so that every flow would have to repeat what `Access` is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import cleandoc
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_ARGS = "Args:"


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


def _described(function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    for name, hint in get_type_hints(function, include_extras=True).items():
        fields = [each for each in get_args(hint) if isinstance(each, FieldInfo) and each.description]
        if fields:
            yield name, str(fields[-1].description)
        elif name != "return" and isinstance(hint, type) and issubclass(hint, BaseModel) and hint.__doc__:
            yield name, hint.__doc__.splitlines()[0]
