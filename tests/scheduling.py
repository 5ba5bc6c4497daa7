"""Which tests share a process, and which begin first, when pytest-xdist runs them in several.

A file stays together, and so do the directories whose tests share what is slow to start: a Prefect server, a virtual
machine, a browser. What takes longest begins first, so that no process is left alone with it at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# The directories that share a process, in the order in which they begin, the longest first. All others come after them,
# file by file.
TOGETHER: Sequence[Sequence[str]] = (
    ("tests/rolling",),
    ("tests/resume",),
    ("tests/ui",),
    ("tests/vm",),
    ("tests/migration",),
    ("tests/flows", "tests/scenarios"),
    ("tests/scale",),
    ("tests/rolling/balancers",),
    ("tests/workarounds",),  # for several import the server
)


def unit_of(test: str) -> str:
    """What is given to a process as a whole, for the test with this node id."""
    path = test.partition("::")[0]
    inside = {directory: unit for unit in TOGETHER for directory in unit if path.startswith(f"{directory}/")}
    return " ".join(inside[max(inside, key=len)]) if inside else path


def rank(test: str) -> int:
    """The place of the test's unit in the order of `TOGETHER`; behind all of them when it is a file."""
    units = [" ".join(directories) for directories in TOGETHER]
    unit = unit_of(test)
    return units.index(unit) if unit in units else len(units)


class Scheduling(LoadScopeScheduling):
    """pytest-xdist's own scheduling by scope, with our units for scopes."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    config.option.loadscopereorder = False  # it would begin with the files that have most tests, however short
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))
