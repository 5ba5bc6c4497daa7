"""A connection may break while a request is on its way: the shell then runs what came, as if that were all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from remotejobs import request
from remotejobs.model import Job
from tests.shell.shells import SHELLS, shell_path


@pytest.mark.parametrize("shell", SHELLS)
def test_of_a_request_that_is_cut_off_nothing_is_run(shell: str, tmp_path: Path) -> None:
    """Neither the start nor the beginning of a line, which could be the name of a program or of another function."""
    shell_path(tmp_path / "bin", shell)
    script = request.start(Job(jid="j", cmd="echo x"), str(tmp_path / "jobs")).script
    last = script.rindex(b"\n{\n")
    for end in [*range(1, last, 89), *range(last, len(script) - len("}\n"), 7)]:
        # No program can be found: whatever is run as one is complained of.
        said = subprocess.run(
            [tmp_path / "bin" / "sh", "-s"], input=script[:end], capture_output=True, check=False, env={"PATH": ""}
        )
        assert (said.stdout, b"not found" in said.stderr) == (b"", False), script[:end][-60:]
    assert not (tmp_path / "jobs").exists()
