"""What a workaround rests on: private names, which any release may take away without a word."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from inspect import isfunction, unwrap
from types import ModuleType
from typing import Any

from remotejobs.errors import RemoteJobsError


class PrivatePartGone(RemoteJobsError):
    """Install the versions of requirements.lock. The workaround has to be mended, or is not needed any more."""


def require(library: str, part: type | ModuleType | Callable[..., Any], *names: str) -> None:
    """Raise `PrivatePartGone` when `part` of `library`, a class or a module, has not all of `names`.

    Of a function it is asked whether it uses them: to set an attribute that is not read any more would raise nothing.
    """
    function = unwrap(part) if callable(part) else None
    known, verb = (function.__code__.co_names, "uses") if isfunction(function) else (dir(part), "has")
    if missing := [name for name in names if name not in known]:
        where = getattr(part, "__qualname__", part.__name__)
        raise PrivatePartGone(f"{library} {version(library)}: {where} {verb} no {', '.join(missing)} any more")
