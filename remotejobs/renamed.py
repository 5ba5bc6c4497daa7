"""Old names, which are accepted for one release and warn: of parameters, fields, arguments and what is imported.

Old options of the command line are in `remotejobs.cli.parser`, old parameters of flows in
`remotejobs.prefect.tasks.flow`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def warn_renamed(old: str, new: str, *, stacklevel: int = 3) -> None:
    """Warn that `old` is called `new` now."""
    # A DeprecationWarning is hidden from users of a program that they did not write.
    text = f"{old} is now called {new}; the old name goes with the next release"
    warnings.warn(text, FutureWarning, stacklevel=stacklevel)


def with_new_names(values: Mapping[str, Any], names: Mapping[str, str], where: str) -> dict[str, Any]:
    """`values` by their new names; `names` maps old to new. `ValueError` where a value is given under both."""
    found = dict(values)
    for old, new in names.items():
        if old not in found:
            continue
        if new in found:
            raise ValueError(f"{where}: {old} is the old name of {new}; give one of them")
        warn_renamed(f"{where}: {old}", new, stacklevel=4)
        found[new] = found.pop(old)
    return found


def renamed_arguments(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keyword arguments by their old names too."""

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        where = function.__qualname__.removesuffix(".__init__")

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            if kwargs.keys() & names.keys():
                return function(*args, **with_new_names(kwargs, names, where))
            return function(*args, **kwargs)

        return called

    return decorated


def renamed_fields(**names: str) -> Any:
    """Let a pydantic model take old names of fields: `_old_names: ClassVar[object] = renamed_fields(old="new")`."""
    from pydantic import model_validator  # the command line need not wait for it

    def accept(cls: type, values: object) -> object:
        return with_new_names(values, names, cls.__name__) if isinstance(values, dict) else values

    return model_validator(mode="before")(classmethod(accept))  # type: ignore[arg-type]


def allow_old_names(schema: dict[str, Any]) -> None:
    """For `json_schema_extra` of a model with renamed fields: a server that checks parameters takes the old ones.

    The model itself still refuses a field that it does not have.
    """
    schema.pop("additionalProperties", None)


def renamed_names(module: str, names: Mapping[str, str]) -> Callable[[str], object]:
    """A `__getattr__` for `module`: `names` maps old names to `NEW`, or to `MODULE:NEW` if that is elsewhere."""

    def attribute(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, new = names[name].rpartition(":")
        warn_renamed(f"{module}.{name}", new)
        found: object = getattr(import_module(home or module), new)
        return found

    return attribute
