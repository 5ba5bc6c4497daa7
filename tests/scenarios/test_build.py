"""A build in a directory and an environment of its own, followed while it goes on."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect.client.schemas.objects import State as RunState

from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.options import JobOptions
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.testing import FakeHosts, Plan
from tests.cli.running import begin
from tests.task_log import TaskLog

MAKEFILE = """
all: compile link
compile:
	@echo compiling in $(CURDIR) with $(FLAGS)
	@until [ -e go ]; do sleep 0.1; done
link:
	@echo linking
"""


@dataclass(frozen=True)
class Build:
    """How it ended, what the task runs logged, and what `remotejobs log --follow` showed meanwhile."""

    source: Path
    end: JobResult
    log: TaskLog
    followed: list[str]


def build(access: Access, source: Path) -> RunState[list[JobResult]]:
    job = JobOptions(timeout=120, chdir=str(source), env={"FLAGS": "-O2 -g"})
    state: RunState[list[JobResult]] = run_command(
        access, "db1", "make all", label="build", job=job, until=Until(retries=600, delay=1), return_state=True
    )
    return state


@pytest.fixture(scope="module")
def built(access: Access, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A build that goes on once its first line was seen on the command line and in the task log."""
    source = tmp_path_factory.mktemp("source")
    (source / "Makefile").write_text(MAKEFILE)
    seen: list[str] = []
    logged = threading.Event()

    def follow() -> None:
        (running,) = [job for job in jobs_on(access, "db1").list() if job.label == "build" and not job.finished]
        with begin("log", "db1", running.jid, "--follow", "-i", access.where) as following:
            assert following.stdout
            seen.append(following.stdout.readline())
            assert logged.wait(60)
            (source / "go").touch()
            seen.extend(following.stdout)

    following = threading.Thread(target=follow)
    with TaskLog() as log:
        log.when("started job", following.start)
        log.when(f"stdout:\ncompiling in {source} with -O2 -g", logged.set)
        (end,) = build(access, source).result()
    following.join(60)
    return Build(source, end, log, seen)


def test_the_output_of_a_build_is_in_the_task_log_while_it_builds(built: Build) -> None:
    assert built.end.record and built.end.record.stdout.endswith(b"linking\n")
    assert [line for line in built.log.lines if line.startswith("stdout")][-1] == "stdout:\nlinking"


def test_a_build_is_followed_on_the_command_line_from_its_first_line_to_its_end(built: Build) -> None:
    assert built.followed == [f"compiling in {built.source} with -O2 -g\n", "linking\n"]


def test_a_broken_build_fails_with_its_last_lines(fake: FakeHosts, tmp_path: Path) -> None:
    fake.plan("make", Plan(rc=2, stdout="linking\n", stderr="make: *** [Makefile:7: link] Error 1\n"))
    with pytest.raises(HostsFailed, match=r"(?s)build on db1: failed, rc 2.*Error 1"):
        build(Access(inventory="db1,db2"), tmp_path).result()
    (start,) = fake.started()
    assert (start.job.chdir, start.job.env, start.job.timeout) == (str(tmp_path), {"FLAGS": "-O2 -g"}, 120)
