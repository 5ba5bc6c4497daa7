"""A build in a directory and an environment of its own, followed while it goes on."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State as RunState

from flows.run_command import run_command
from tasks.access import Access
from tasks.connections import jobs_on
from tasks.ends import End
from tasks.errors import HostsFailed
from tasks.until import Until
from tests.cli.running import begin
from tests.task_log import TaskLog

MAKEFILE = """
all: compile link
compile:
	@echo compiling in $(CURDIR) with $(FLAGS)
	@until [ -e go ]; do sleep 0.1; done
link:
	@echo linking; [ ! -e broken ]
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source tree whose build waits for the file `go`."""
    (tmp_path / "Makefile").write_text(MAKEFILE)
    return tmp_path


def build(access: Access, source: Path, **more: Any) -> RunState[list[End]]:
    given: dict[str, Any] = {"label": "build", "limit": 120, "chdir": str(source), "env": {"FLAGS": "-O2 -g"}}
    state: RunState[list[End]] = run_command(
        access, "db1", "make all", **given | more, until=Until(retries=600, delay=0.2), return_state=True
    )
    return state


def test_the_output_of_a_build_is_in_the_task_log_while_it_builds(
    access: Access, source: Path, task_log: TaskLog
) -> None:
    task_log.when(f"stdout:\ncompiling in {source} with -O2 -g", (source / "go").touch)
    (end,) = build(access, source).result()
    assert end.record and end.record.stdout.endswith(b"linking\n")
    assert [line for line in task_log.lines if line.startswith("stdout")][-1] == "stdout:\nlinking"


def test_a_build_is_followed_on_the_command_line_from_its_first_line_to_its_end(
    access: Access, source: Path, task_log: TaskLog
) -> None:
    seen: list[str] = []

    def follow() -> None:
        (running,) = [job for job in jobs_on(access, "db1").list() if job.label == "build" and not job.finished]
        words = ["log", "db1", running.jid, "--follow", "-i", access.inventory]
        with begin(*words) as following:
            assert following.stdout
            seen.append(following.stdout.readline())
            (source / "go").touch()
            seen.extend(following.stdout)

    following = threading.Thread(target=follow)
    task_log.when("started job", following.start)
    build(access, source).result()
    following.join(60)
    assert seen == [f"compiling in {source} with -O2 -g\n", "linking\n"]


def test_a_broken_build_fails_with_its_last_lines(access: Access, source: Path) -> None:
    for name in ("go", "broken"):
        (source / name).touch()
    with pytest.raises(HostsFailed, match=r"(?s)build on db1: failed, rc 2.*Error 1"):
        build(access, source).result()
