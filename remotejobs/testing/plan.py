"""What becomes of a command on a host that is not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one job goes.

    `lasts` is seconds on the host's clock; None: until the test says `ends`; infinity: until a timeout or a kill.
    The output and the line of progress are there from the start. `refused` is why the host could not start it.
    """

    lasts: float | None = 0.0
    rc: int = 0
    signal: str = ""
    stdout: str = ""
    stderr: str = ""
    progress: str = ""
    refused: str = ""


Planner = Callable[[str, str], Plan]  # of a host's name and a command
