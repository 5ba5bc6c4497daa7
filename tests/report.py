"""Where the time of a run of the tests went: its slowest tests, the share of each directory, what the cores did."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePath

import pytest

SLOWEST = 20
LAST_SLOW_RUN = Path(__file__).with_name("last-slow-run.txt")


class TimeReport:
    """Adds up the phases of each test, in whichever process it ran. A set-up counts for the test that waits for it."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._began = cpu_times()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        if len(self._seconds) <= 1:
            return
        terminalreporter.section(f"{min(SLOWEST, len(self._seconds))} slowest tests")
        for line in slowest(self._seconds):
            terminalreporter.write_line(line)
        terminalreporter.section("time by directory")
        for line in shares(self._seconds):
            terminalreporter.write_line(line)
        busy, idle = (now - then for now, then in zip(cpu_times(), self._began, strict=True))
        terminalreporter.write_line(
            f"The machine's {os.cpu_count()} cores were busy {busy / ((busy + idle) or 1):.0%} of it"
        )
        if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            terminalreporter.write_line(f"Left to make test-slow, which was last run: {last_slow_run()}")


def cpu_times() -> tuple[int, int]:
    """How long the machine's cores have been busy, and idle or waiting for a disk, in ticks."""
    _, user, nice, system, idle, waiting, *others = Path("/proc/stat").read_text().splitlines()[0].split()
    return sum(map(int, (user, nice, system, *others[:3]))), int(idle) + int(waiting)


def slowest(seconds: Mapping[str, float]) -> list[str]:
    """A line for each of the slowest tests, the slowest first."""
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return [f"{taken:8.1f} s  {test}" for test, taken in ordered[:SLOWEST]]


def shares(seconds: Mapping[str, float]) -> list[str]:
    """A line for each directory: its part of the time, its seconds, its tests."""
    spent: dict[str, float] = defaultdict(float)
    tests: dict[str, int] = defaultdict(int)
    for test, taken in seconds.items():
        directory = "/".join(PurePath(test.partition("::")[0]).parts[:2])
        spent[directory] += taken
        tests[directory] += 1
    total = sum(spent.values()) or 1.0
    ordered = sorted(spent, key=lambda directory: -spent[directory])
    return [f"{spent[name] / total:7.1%}  {spent[name]:8.1f} s  {tests[name]:5d} tests  {name}" for name in ordered]


def last_slow_run() -> str:
    """When, at which commit and for how long."""
    return LAST_SLOW_RUN.read_text().strip() if LAST_SLOW_RUN.exists() else "never"


def pytest_configure(config: pytest.Config) -> None:
    # Under pytest-xdist every report reaches the controlling process, and only that one has a terminal.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(TimeReport(), "time-report")
