"""What opens a copy waits in memory alone, and not for long."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotejobs.operations.backup.copies.identity import keeping
from tests.awaiting import await_true

SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]
IDENTITY = "# created: now\\never\nAGE-SECRET-KEY-1ABC'DEF"


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A shell in a session of its own, and programs called printf and echo that note their words."""
    for name in ("printf", "echo"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/words\nexec /usr/bin/{name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    words = [*request.param.split(), "-s"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, env=env, start_new_session=True) as shell:
        yield shell
    if alive(shell.pid):
        os.killpg(shell.pid, signal.SIGTERM)


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def ended(group: int) -> bool:
    """Ask it to end, which the shell that waits may not have started to listen to."""
    if alive(group):
        os.killpg(group, signal.SIGTERM)
    return not alive(group)


def test_it_is_in_no_list_of_processes_and_goes_when_its_session_is_ended(
    shell: subprocess.Popen[str], tmp_path: Path
) -> None:
    said, _ = shell.communicate(keeping(IDENTITY, "n"), timeout=30)
    begin, path, end = said.splitlines()
    assert (begin, end) == ("begin n", "end n")
    kept = Path(path)
    assert kept.read_text() == f"{IDENTITY}\n" and kept.stat().st_mode & 0o777 == 0o600
    words = tmp_path / "words"
    assert not words.exists() or "SECRET" not in words.read_text()
    os.killpg(shell.pid, signal.SIGHUP)  # a terminal that sudo made is gone: the job that needs it may only now begin
    assert kept.exists() and alive(shell.pid)
    await_true(lambda: ended(shell.pid) and not kept.exists())
