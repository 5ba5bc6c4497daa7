"""What there is to do next."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.operations.migration.sight import Place
from remotejobs.operations.migration.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Run:
    """Start these steps side by side, or attach to those that are there, and wait until all have ended."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Prove:
    """End every process that is left of the steps on these hosts, and prove that none is."""

    hosts: tuple[str, ...]


Action = Run | Prove | Verdict
