"""What the program ssh says of itself: its settings for a host (`ssh -G`), and the algorithms that it knows."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ANSWERS_WITHIN = 60.0  # seconds; Match exec and names of hosts may ask the network


@dataclass(frozen=True)
class SshQuery:
    """To `program` about the login that it was given `options` for, in this environment."""

    program: str
    options: Sequence[str]
    environment: Mapping[str, str]

    def settings(self) -> dict[str, str]:
        """By keyword in small letters, the first value of each; empty where ssh does not answer."""
        lines = [line.partition(" ") for line in self._ask("-G", *self.options)]
        return {key: value for key, _, value in reversed(lines)}

    def goes_by_jumps(self) -> bool:
        """Whether it goes through jump hosts and not through a ProxyCommand."""
        settings = self.settings()
        return "proxyjump" in settings and "proxycommand" not in settings

    def algorithms(self, kind: str) -> frozenset[str]:
        """All that it could use, of a kind as `ssh -Q` names it."""
        return frozenset(self._ask("-Q", kind))

    def _ask(self, *words: str) -> list[str]:
        try:
            done = subprocess.run(
                [self.program, *words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
                timeout=_ANSWERS_WITHIN,
            )
        except subprocess.TimeoutExpired:
            return []
        return done.stdout.decode("utf-8", "replace").splitlines()
