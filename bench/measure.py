"""Whole commands, timed from outside, several times; the median is reported."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timing:
    """Of several runs: seconds of wall time; seconds of CPU time of the command itself (not of the hosts), and MiB of
    its largest process at the highest (never less than this program has, which starts it); exit codes."""

    walls: tuple[float, ...]
    cpus: tuple[float, ...]
    memories: tuple[float, ...]
    codes: tuple[int, ...]

    @property
    def wall(self) -> float:
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        return statistics.median(self.cpus)

    @property
    def memory(self) -> float:
        return statistics.median(self.memories)

    def __str__(self) -> str:
        spread = f"{min(self.walls):.2f}-{max(self.walls):.2f}" if len(self.walls) > 1 else "one run"
        failed = [code for code in self.codes if code]
        return f"{self.wall:.2f} s ({spread})" + (f", exit code {failed[0]}" if failed else "")


def timed(
    commands: Sequence[Sequence[str]],
    env: dict[str, str] | None = None,
    *,
    check: bool = True,
    after: Callable[[], object] = lambda: None,
) -> Timing:
    """Run each command to its end, one after the other, and `after` each what is not measured.

    One that fails raises `CalledProcessError` unless `check` is false; then its stderr is not shown either.
    """
    walls, cpus, memories, codes = [], [], [], []
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(env or {})}  # an installed program is compiled once
    for command in commands:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=None if check else subprocess.DEVNULL, env=env
        )
        _, status, used = os.wait4(process.pid, 0)
        walls.append(time.perf_counter() - start)
        process.returncode = os.waitstatus_to_exitcode(status)
        if check and process.returncode:
            raise subprocess.CalledProcessError(process.returncode, list(command))
        cpus.append(used.ru_utime + used.ru_stime)
        memories.append(used.ru_maxrss / 1024)
        codes.append(process.returncode)
        after()
    return Timing(tuple(walls), tuple(cpus), tuple(memories), tuple(codes))


def pss(pid: int) -> int:
    """The memory in KiB that is this process' own share of all (proportional set size, by the kernel)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(f"the kernel reports no Pss of {pid}")


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
