"""What goes on when nothing reads its output: the process of a run, and no other."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PRINT = """
import sys, tasks
from rich.console import Console
sys.stdin.read()
for console in (Console(), Console(stderr=True)):
    console.print("said")
    console.print("and said again")
"""


@pytest.mark.parametrize(
    ("process", "code"),
    [
        pytest.param({"PREFECT__FLOW_RUN_ID": "3f2b0c7e-0000-4000-8000-000000000000"}, 0, id="the process of a run"),
        pytest.param({}, 1, id="any other"),
    ],
)
def test_the_process_of_a_run_alone_goes_on_when_nobody_reads_what_it_prints(
    process: dict[str, str], code: int
) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", PRINT]
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, env={**own, **process}) as running:
        assert running.stdin and running.stdout
        running.stdout.close()
        running.stdin.close()
        assert running.wait() == code
