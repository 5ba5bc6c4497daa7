"""Which inventory is meant where none is named."""

from __future__ import annotations

import os
from pathlib import Path

from remotejobs.errors import BadUse

VARIABLE = "REMOTEJOBS_INVENTORY"
DEFAULT_INVENTORY = Path("inventories/hosts.yml")


def inventory_path(given: str = "") -> str:
    """`given`, or what stands for it. `BadUse` when nothing does."""
    if given := given or os.environ.get(VARIABLE, ""):
        return given
    if DEFAULT_INVENTORY.exists():
        return str(DEFAULT_INVENTORY)
    raise BadUse(
        "no inventory is named", remedy=f"Give one with -i, set ${VARIABLE}, or write {DEFAULT_INVENTORY} here."
    )
