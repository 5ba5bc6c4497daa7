"""The lab's servers are awaited by what they do and leave nothing behind."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.process import LabError, ServerProcess
from tests.processes import running

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def server(tmp_path: Path) -> ServerProcess:
    return ServerProcess("the example", tmp_path / "log")


def test_a_server_that_ends_before_it_is_ready_is_reported_with_its_last_words(server: ServerProcess) -> None:
    server.start(["sh", "-c", "echo no such place >&2; exit 3"])
    with pytest.raises(LabError, match=r"the example ended before it was ready(.|\n)*no such place"):
        server.await_ready(lambda: False)


def test_a_server_that_never_gets_ready_is_reported_and_can_be_ended(server: ServerProcess) -> None:
    server.start(["sleep", "600"])
    with pytest.raises(LabError, match="was not ready after 0 s"):
        server.await_ready(lambda: False, within=0.2)
    pid = server.pid
    server.end()
    assert not running(pid)


def test_the_end_of_a_server_is_the_end_of_its_descendants_in_other_sessions_too(
    server: ServerProcess, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    server.start(["sh", "-c", f"setsid sh -c 'echo $$ > {note}.part; mv {note}.part {note}; exec sleep 600' & wait"])
    server.await_ready(note.exists)
    server.end()
    assert not running(int(note.read_text()))


def killed_with_a_server(tmp_path: Path, env: Mapping[str, str] | None = None) -> bool:
    """Whether the server of a lab that is killed once it has started it ends too."""
    program = (
        "import pathlib, time; from lab.process import ServerProcess;"
        f"server = ServerProcess('the example', pathlib.Path({str(tmp_path / 'log')!r}));"
        "server.start(['sleep', '600']); print(server.pid, flush=True); time.sleep(600)"
    )
    lab = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=PROJECT, env=env)
    with lab:
        assert lab.stdout is not None
        example = os.pidfd_open(int(lab.stdout.readline()))
        lab.kill()
        lab.wait()
    ended, _, _ = select.select([example], [], [], 30)
    os.close(example)
    return bool(ended)


def test_a_server_ends_when_the_lab_is_killed_without_warning(tmp_path: Path) -> None:
    assert killed_with_a_server(tmp_path)


def test_so_does_a_server_that_had_not_asked_for_the_signal_yet(tmp_path: Path) -> None:
    setpriv = tmp_path / "setpriv"
    setpriv.write_text('#!/bin/sh\nwhile kill -0 "$5"; do sleep 0.05; done\nexec /usr/bin/setpriv "$@"\n')
    setpriv.chmod(0o755)
    assert killed_with_a_server(tmp_path, {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})


def test_ending_a_server_twice_does_no_harm(server: ServerProcess) -> None:
    server.start(["sleep", "600"])
    server.end()
    server.end()
