"""A host's inventory variables, read with their types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from remotejobs.errors import UsageError
from remotejobs.inventory.values import Secret

TRUE = {"true", "yes", "on", "1", "y", "t"}
HIDDEN = "********"
_SHORTEST = 4  # characters of a word that is hidden: `-J` and `-o` are no secret
# What `remotejobs hosts` shows of a host; passwords are not among it.
_SHOWN = (
    "ansible_host", "ansible_ssh_host", "ansible_user", "ansible_ssh_user", "ansible_port", "ansible_ssh_port",
    "ansible_private_key_file", "ansible_ssh_private_key_file",
    "ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args",
)  # fmt: skip
FALSE = {"false", "no", "off", "0", "n", "f", ""}


class HostLike(Protocol):
    """What the ways to a host need of an inventory's host."""

    @property
    def name(self) -> str: ...

    @property
    def variables(self) -> Mapping[str, Any]: ...


def text(host: HostLike, *names: str) -> str:
    """The value of the last of `names` that is set, as in Ansible; "" when none is. `UsageError` for a list or dict."""
    for name in reversed(names):
        value: object = host.variables.get(name)
        if value is None:
            continue
        if not isinstance(value, str | int | float):
            raise UsageError(f"{host.name}: {name} is {value!r}", remedy="It must be text or a number.")
        return value if isinstance(value, str) else str(value)
    return ""


def masked(host: HostLike, shown: str) -> str:
    """`shown`, without what a vault says of the way to the host; of options for ssh, each word is hidden."""
    for name in _SHOWN:
        value: object = host.variables.get(name)
        if isinstance(value, Secret) and value:
            shown = shown.replace(str(value), HIDDEN)
            for word in re.split(r"[\s@=,:'\"]+", value) if name.endswith("_args") else ():
                shown = shown.replace(word, HIDDEN) if len(word) >= _SHORTEST else shown
    return shown


def place_of(host: HostLike, *names: str) -> str:
    """Where the last of `names` that is set was set: the variable itself, or a file of settings and its line."""
    name = next((name for name in reversed(names) if host.variables.get(name) is not None), names[0])
    outside = getattr(host.variables, "outside", None)
    return str((outside and outside(name)) or f"{host.name}: {name}")


def flag(host: HostLike, name: str, *, default: bool) -> bool:
    """A yes or no, in any of YAML's and Ansible's words; `UsageError` for anything else."""
    value: object = host.variables.get(name)
    if value is None:
        return default
    word = str(value).strip().lower()
    if word not in TRUE | FALSE:
        raise UsageError(f"{host.name}: {name} is {value!r}", remedy="It must be true or false.")
    return word in TRUE
