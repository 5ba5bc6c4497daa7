"""A connection may break while a request is on its way: the shell then runs what came, as if that were all."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from remotejobs.agent import request
from remotejobs.model import Job
from tests.shell.shells import SHELLS, shell_path


@pytest.mark.parametrize("shell", SHELLS)
def test_of_a_request_that_is_cut_off_nothing_is_run(shell: str, tmp_path: Path) -> None:
    """Neither the start nor the beginning of a line, which could be the name of a program or of another function."""
    shell_path(tmp_path / "bin", shell)
    assert tried(run(tmp_path, b"rj_proc=/proc\nrj_x"))
    script = request.start(Job(jid="j", cmd="echo x"), str(tmp_path / "jobs")).script
    last = script.rindex(b"\n{\n")
    # All shells together are cut off as often as each of them would have to be, and near the end each is.
    begin = range(1 + 89 * SHELLS.index(shell), last, 89 * len(SHELLS))
    for end in [*begin, *range(last, script.rindex(b"\n}") + 1, 7)]:
        said = run(tmp_path, script[:end])
        assert said.stdout == b""
        assert not tried(said), script[:end][-60:]
    assert not (tmp_path / "jobs").exists()


def run(tmp_path: Path, script: bytes) -> subprocess.CompletedProcess[bytes]:
    """As a host runs what came, but that no program can be found: only sed, by which some shells read it."""
    shell, alone = [str(tmp_path / "bin" / "sh"), "-s"], tmp_path / "alone"
    alone.mkdir(exist_ok=True)
    if not (alone / "sed").exists():
        (alone / "sed").symlink_to("/bin/sed")
    return subprocess.run(shell, input=script, capture_output=True, check=False, env={"PATH": str(alone)})


def tried(said: subprocess.CompletedProcess[bytes]) -> bool:
    """Whether the shell complains that a program is not there; each has its own words for it."""
    return re.search(rb"not found|No such file|no such command", said.stderr) is not None
