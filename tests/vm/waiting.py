"""Waiting for what comes on the machine, there: each question costs a machine that is emulated more than the wait."""

from __future__ import annotations

from remotejobs.agent.shell import Shell
from tests.awaiting import await_true


def await_there(shell: Shell, condition: str) -> None:
    """Return once the shell command `condition` succeeds there."""
    asked = f"for _ in $(seq 40); do {{ {condition}; }} && exit; sleep 0.2; done; exit 1"
    await_true(lambda: shell.run(asked).rc == 0)
