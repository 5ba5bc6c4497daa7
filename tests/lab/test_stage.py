"""The lab as a whole: it starts from nothing, keeps to itself, and ends completely."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lab.process import LabError
from lab.servers.prefect.api import PrefectApi
from lab.servers.prefect.server import PrefectServer
from tests.prepared import migrated_database
from tests.processes import running

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
FLOW = "from prefect import flow\n\n@flow\ndef backup(access: dict, dry_run: bool) -> None:\n    print(access)\n"
DEPLOYMENTS = """
deployments:
- name: clean-jobs
  entrypoint: flows/backup.py:backup
  work_pool: {name: remotejobs}
  schedules: [{interval: 15}]
"""
PROGRAM = """
import functools, pathlib, signal
from lab.demos.demo import say
from lab.demos.stage import open_stage
from lab.servers.prefect.server import PrefectServer
server = functools.partial(PrefectServer, project=pathlib.Path({project!r}), database={database!r})
with open_stage(say, prefect=server) as stage:
    say("READY " + stage.prefect.api_url)
    signal.pause()
"""


class Lab:
    """A lab in a process of its own; `api_url` is known once it is ready. `database` is what its server begins with."""

    def __init__(self, directory: Path, database: Path | None = None) -> None:
        project = directory / "project"
        (project / "flows").mkdir(parents=True)
        (project / "flows" / "backup.py").write_text(FLOW)
        (project / "prefect.yaml").write_text(DEPLOYMENTS)
        self.directory = directory / "lab"
        self.home = directory / "home"
        self.home.mkdir()
        self.process = self.start(project, database)
        assert self.process.stdout is not None
        self.words: list[str] = []
        for line in self.process.stdout:
            self.words.append(line)
            if line.startswith("READY "):
                break
        assert self.words[-1].startswith("READY "), "".join(self.words)
        self.api_url = self.words[-1].split()[1]
        self.port = urlsplit(self.api_url).port

    def start(self, project: Path, database: Path | None = None) -> subprocess.Popen[str]:
        environment = {**os.environ, "REMOTEJOBS_LAB_DIR": str(self.directory), "HOME": str(self.home)}
        program = PROGRAM.format(project=str(project), database=database and str(database))
        return subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=PROJECT,
            env=environment,
        )

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("stage"))
    yield running
    running.end()


def test_a_schedule_makes_runs_that_a_worker_completes(lab: Lab) -> None:
    deadline = time.monotonic() + 120
    with PrefectApi(lab.api_url) as api:
        [deployment] = api.deployments()
        while not any(
            run.auto_scheduled and run.state and run.state.name == "Completed" for run in api.runs_of(deployment)
        ):
            assert time.monotonic() < deadline, api.runs_of(deployment)
            time.sleep(0.5)  # the server sends no event of such an end; it has to be asked


def test_a_second_lab_in_the_same_directory_is_refused_with_the_remedy(lab: Lab) -> None:
    second = lab.start(PROJECT)
    words, _ = second.communicate(timeout=60)
    assert second.returncode != 0
    assert f"another lab is running in {lab.directory}. End it, or set REMOTEJOBS_LAB_DIR" in words


def test_a_server_that_stands_on_the_usual_port_is_let_alone_and_the_lab_takes_another(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.servers.prefect.server.USUAL_PORT", lab.port)
    assert PrefectServer(tmp_path).port != lab.port


def test_a_server_whose_port_is_taken_counts_as_not_started_whatever_answers_there(lab: Lab, tmp_path: Path) -> None:
    with (
        PrefectServer(tmp_path, port=lab.port) as second,
        pytest.raises(LabError, match=rf"ended before it was ready(.|\n)*Port {lab.port} is already in use"),
    ):
        second.await_ready()


def test_the_user_s_own_prefect_is_not_touched(lab: Lab) -> None:
    assert not (lab.home / ".prefect").exists()


def test_two_labs_at_once_are_apart_and_sigterm_stops_everything_that_one_has_started(lab: Lab, tmp_path: Path) -> None:
    second = Lab(tmp_path, migrated_database())
    assert f"  Prefect     http://127.0.0.1:{second.port}\n" in second.words
    for each in (lab, second):
        with PrefectApi(each.api_url) as api:
            [deployment] = api.deployments()
        assert deployment.parameters["access"] == {"inventory": str(each.directory / "inventory.yml")}
    started = descendants(second.process.pid)
    assert len(started) >= 6, "three sshd, PostgreSQL, the server and the worker"
    second.end()
    assert second.process.returncode == 128 + signal.SIGTERM
    assert [pid for pid in started if running(pid)] == []


def descendants(pid: int) -> list[int]:
    children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [kin for child in children for kin in descendants(child)]
