"""Running the command as a shell would, for the tests of this directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COMMAND = (sys.executable, "-m", "remotejobs")


@dataclass(frozen=True)
class Ended:
    """What a command line gave back."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Standard output as JSON, one object a line; fails when anything else is there."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**more: str) -> Mapping[str, str]:
    """This environment, without what would change colours or the default inventory."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in ("NO_COLOR", "REMOTEJOBS_INVENTORY", "COLUMNS", "LINES")
    }
    return kept | {"PYTHONUNBUFFERED": "1"} | more


def remotejobs(*words: str, **env: str) -> Ended:
    """One command line in a process of its own, into pipes, with no terminal anywhere."""
    done = subprocess.run(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**env),
        timeout=120,
        start_new_session=True,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def begin(*words: str, **env: str) -> subprocess.Popen[str]:
    """One command line that goes on beside the test."""
    return subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**env)
    )
