"""A health check that is a command on the host: asked there in one round trip, without leaving a job behind."""

from __future__ import annotations

import math
import shlex

from remotejobs.agent.shell import Shell
from remotejobs.errors import HostError
from remotejobs.operations.rolling.health import RunOnHost
from remotejobs.text import one_line

_TIMED_OUT = 124  # what timeout ends with


def command_on(shell: Shell) -> RunOnHost:
    """Runs commands by `shell`. A host that cannot be asked has not passed its check."""

    def run(command: str, timeout: float) -> str:
        seconds = max(1, math.ceil(timeout))
        limited = f"limit=; command -v timeout >/dev/null && limit='timeout {seconds}'"
        try:
            result = shell.run(f"{limited}\n$limit sh -c {shlex.quote(command)} </dev/null 2>&1")
        except HostError as exc:
            return f"not asked: {exc.message.removeprefix(f'{exc.host}: ')}"
        if result.rc == 0:
            return ""
        said = one_line(result.output)[-100:]
        why = f"not over within {seconds} s" if result.rc == _TIMED_OUT else f"rc {result.rc}"
        return f"{why}: {said}" if said else why

    return run
