"""Commands that can be halted: each notes that it ran, and waits at its gate when there is one."""

from __future__ import annotations

import os
import select
from pathlib import Path

_PATIENCE = 120.0  # seconds


class Gates:
    """In a directory that the commands can reach. `runs` lists the steps in the order in which they began."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._runs = directory / "runs"
        self._runs.touch()

    def command(self, name: str, then: str = "true") -> str:
        at, go = self._pipes(name)
        return f"echo {name} >>{self._runs}; if [ -p {at} ]; then echo here >{at}; read -r _ <{go}; fi\n{then}"

    @property
    def runs(self) -> list[str]:
        return self._runs.read_text().split()

    def close(self, name: str) -> None:
        """Let `name` wait when it gets to its gate."""
        for pipe in self._pipes(name):
            os.mkfifo(pipe)

    def arrival(self, name: str) -> None:
        """Return when `name` waits at its gate."""
        at, _ = self._pipes(name)
        pipe = os.open(at, os.O_RDWR)
        try:
            assert select.select([pipe], [], [], _PATIENCE)[0], f"{name} did not come to its gate"
        finally:
            os.close(pipe)

    def started(self, name: str) -> None:
        """Return when `name`, which has no gate, has started."""
        while name not in self.runs:
            os.sched_yield()

    def open(self, name: str) -> None:
        """Let it go on."""
        _, go = self._pipes(name)
        go.write_text("go\n")

    def _pipes(self, name: str) -> tuple[Path, Path]:
        return self._directory / f"{name}.at", self._directory / f"{name}.go"
