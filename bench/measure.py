"""Whole commands, timed from outside, several times; the median is what is told."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of several runs: wall time each, the CPU time of the command itself (not of the hosts); exit codes."""

    walls: tuple[float, ...]
    cpus: tuple[float, ...]
    codes: tuple[int, ...]

    @property
    def wall(self) -> float:
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        return statistics.median(self.cpus)

    def __str__(self) -> str:
        spread = f"{min(self.walls):.2f}-{max(self.walls):.2f}" if len(self.walls) > 1 else "one run"
        failed = [code for code in self.codes if code]
        return f"{self.wall:.2f} s ({spread})" + (f", exit code {failed[0]}" if failed else "")


def timed(commands: Sequence[Sequence[str]], env: dict[str, str] | None = None, *, check: bool = True) -> Timing:
    """Run each command to its end, one after the other; one that fails raises `CalledProcessError` unless told not."""
    walls, cpus, codes = [], [], []
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(env or {})}  # an installed program is compiled once
    for command in commands:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        codes.append(subprocess.run(command, check=check, stdout=subprocess.DEVNULL, env=env).returncode)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - start)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return Timing(tuple(walls), tuple(cpus), tuple(codes))


def pss(pid: int) -> int:
    """The memory in KiB that is this process' own share of all (proportional set size, by the kernel)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(f"the kernel tells no Pss of {pid}")


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
