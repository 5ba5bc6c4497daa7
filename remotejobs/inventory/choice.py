"""Which inventories are meant where none is named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from remotejobs.errors import UsageError

VARIABLES = ("REMOTEJOBS_INVENTORY", "ANSIBLE_INVENTORY")
DEFAULT_INVENTORY = Path("inventories/hosts.yml")


def inventory_paths(given: Iterable[str] = (), configured: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Those of `given`, or what stands for them; `configured` are those of an ansible.cfg. `UsageError` for none."""
    if named := tuple(filter(None, given)):
        return named
    for variable in VARIABLES:
        if text := os.environ.get(variable, ""):
            return _of_environment(text)
    if configured:
        return configured
    if DEFAULT_INVENTORY.exists():
        return (str(DEFAULT_INVENTORY),)
    raise UsageError(
        "no inventory is named",
        remedy=f"Give one with -i, set ${' or $'.join(VARIABLES)}, or write {DEFAULT_INVENTORY} here.",
    )


def _of_environment(text: str) -> tuple[str, ...]:
    """Several paths with commas between them, as Ansible takes them, or one path, or a list of hosts."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    return parts if all(Path(part).exists() for part in parts) else (text,)
