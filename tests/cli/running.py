"""Running command lines for the tests of this directory, in this process or in one of their own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, NoReturn
from unittest.mock import patch

from remotejobs.cli import exit_codes, main

COMMAND = (sys.executable, "-m", "remotejobs")


@dataclass(frozen=True)
class CommandResult:
    """What a command line gave back."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

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


def remotejobs(*words: str, **env: str) -> CommandResult:
    """One command line in this process, which saves the start of another: its output goes to no terminal.

    What is about a process (its start, signals, terminals, pipes that are closed) takes `in_a_process` or `begin`.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with (
        patch.dict(os.environ, environment(**env), clear=True),
        patch.object(exit_codes, "leave", _not_from_here),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            code = main(words)
        except SystemExit as end:  # as argparse ends it
            code = int(end.code or 0)
    return CommandResult(code, _written(out), _written(err).decode())


def _not_from_here(code: int) -> NoReturn:
    """Instead of ending the process, which is that of all tests: what led to it is raised again."""
    if error := sys.exc_info()[1]:
        raise error
    raise AssertionError(f"it would end this process with {code}: give it one of its own")


def _written(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


def in_a_process(*words: str, **env: str) -> CommandResult:
    """One command line in a process of its own, into pipes, with no terminal anywhere."""
    done = subprocess.run(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**env),
        timeout=120,
        start_new_session=True,
    )
    return CommandResult(done.returncode, done.stdout, done.stderr.decode())


def begin(*words: str, **env: str) -> subprocess.Popen[str]:
    """One command line that goes on beside the test."""
    return subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**env)
    )
