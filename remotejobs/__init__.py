"""Long jobs on remote hosts: start detached, ask later, believe the answer.

`RemoteJobs` is the command line as Python; see docs/reference/python.md. Nothing is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remotejobs.api import RemoteJobs, StartResult
    from remotejobs.errors import HostError, RemoteJobsError, Unreachable, UsageError
    from remotejobs.jobs.fleet import HostResult
    from remotejobs.model import Job, Record, State

__all__ = [
    "HostError",
    "HostResult",
    "Job",
    "Record",
    "RemoteJobs",
    "RemoteJobsError",
    "StartResult",
    "State",
    "Unreachable",
    "UsageError",
]

_HOMES = {
    "api": ("RemoteJobs", "StartResult"),
    "errors": ("UsageError", "HostError", "RemoteJobsError", "Unreachable"),
    "jobs.fleet": ("HostResult",),
    "model": ("Job", "Record", "State"),
}


_OLD_NAMES = {
    "BadUse": "remotejobs.errors:UsageError",
    "Outcome": "remotejobs.jobs.fleet:HostResult",
    "Started": "remotejobs.api:StartResult",
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    from remotejobs.renamed import renamed_names

    return renamed_names(__name__, _OLD_NAMES)(name)


def __dir__() -> list[str]:
    return __all__
