"""A host's inventory variables, read with their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from remotejobs.errors import BadUse

TRUE = {"true", "yes", "on", "1", "y", "t"}
FALSE = {"false", "no", "off", "0", "n", "f", ""}


class Host(Protocol):
    """What the ways to a host need of an inventory's host."""

    @property
    def name(self) -> str: ...

    @property
    def variables(self) -> Mapping[str, Any]: ...


def text(host: Host, *names: str) -> str:
    """The value of the last of `names` that is set, as in Ansible; "" when none is. `BadUse` for a list or dict."""
    for name in reversed(names):
        value: object = host.variables.get(name)
        if value is None:
            continue
        if not isinstance(value, str | int | float):
            raise BadUse(f"{host.name}: {name} is {value!r}", remedy="It must be text or a number.")
        return str(value)
    return ""


def flag(host: Host, name: str, *, default: bool) -> bool:
    """A yes or no, in any of YAML's and Ansible's words; `BadUse` for anything else."""
    value: object = host.variables.get(name)
    if value is None:
        return default
    word = str(value).strip().lower()
    if word not in TRUE | FALSE:
        raise BadUse(f"{host.name}: {name} is {value!r}", remedy="It must be true or false.")
    return word in TRUE
