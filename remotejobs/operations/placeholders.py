"""`{host}` and `{variable}` in a URL or a name: what differs between hosts, taken from the inventory."""

from __future__ import annotations

import re

from remotejobs.errors import UsageError
from remotejobs.inventory.variables import HostLike, text

_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def filled(template: str, host: HostLike) -> str:
    """`template` with `{host}` as the host's name and any other name as that inventory variable of it.

    `UsageError` names a variable that the host does not have.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name == "host":
            return host.name
        if not (found := text(host, name)):
            raise UsageError(f"{host.name}: {template!r} needs the variable {name}", remedy="Set it in the inventory.")
        return found

    return _NAME.sub(value, template)
