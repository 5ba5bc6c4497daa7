"""What there is to do next."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.operations.migration.observed import HostStep
from remotejobs.operations.migration.verdict import Verdict


@dataclass(frozen=True, slots=True)
class RunSteps:
    """Start these steps side by side, or attach to those that are there, and wait until all have ended."""

    host_steps: tuple[HostStep, ...]


@dataclass(frozen=True, slots=True)
class EnsureDead:
    """End every process that is left of the steps on these hosts, and prove that none is."""

    hosts: tuple[str, ...]


Action = RunSteps | EnsureDead | Verdict
