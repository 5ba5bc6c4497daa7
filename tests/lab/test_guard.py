"""However a run ends, nothing of it is left: neither processes, detached on purpose, nor users, mounts and files."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import guard
from tests.awaiting import await_true
from tests.processes import running

PROJECT = Path(__file__).parents[2]
CONFTEST = """
import signal
import pytest
from lab import guard
guard.start()
signal.signal(signal.SIGINT, signal.default_int_handler)

@pytest.fixture(scope="session", autouse=True)
def place(tmp_path_factory):
    guard.enter("place", tmp_path_factory.getbasetemp())
"""
# One job runs as another user; one hides its environment, and is neither in its session nor a child of another process.
RUN = """
import json, os, pathlib, tempfile, time
from faults.host.disk import disk
from lab.guard import start
from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.connect import open_connection
from remotejobs.inventory import load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job

HIDING = "(env -i setsid sleep 600 & echo $!); exec sleep 600"

def test_that_lasts(tmp_path):
    with (
        LabUser.unique("guarded", sudo="ALL=(ALL) NOPASSWD: ALL") as user,
        SshLab(tmp_path / "lab", ["one", "two"], users={"two": user.name}) as lab,
        disk(tmp_path / "disk", "size=64k") as mount,
    ):
        hosts = load_inventory(lab.write_inventory(tmp_path / "inventory.yml")).hosts
        pids = [server.pid for server in lab._servers.values()]
        for name, host in hosts.items():
            directory = str(tmp_path / "jobs") if name == "one" else ""
            jobs = HostJobs(open_connection(host), directory=directory)
            jobs.start(Job(jid="lasting", cmd=HIDING))
            while not (record := jobs.record("lasting")).stdout.endswith(b"\\n"):
                time.sleep(0.05)
            pids += [record.pid, int(record.stdout)]
        left = {"user": user.name, "mount": str(mount), "directory": str(start()), "pids": pids}
        pathlib.Path(FACTS).write_text(json.dumps(left))
        pathlib.Path(FACTS + ".ready").touch()
        time.sleep(600)
"""


class Run:
    """A pytest of its own, in the middle of its only test."""

    def __init__(self, directory: Path) -> None:
        facts = directory / "facts"
        (directory / "tests").mkdir()
        (directory / "tests" / "conftest.py").write_text(CONFTEST)
        (directory / "tests" / "test_run.py").write_text(f"FACTS = {str(facts)!r}\n{RUN}")
        outside = {name: value for name, value in os.environ.items() if name not in guard.mark()}
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={directory}"]
        self.process = subprocess.Popen(
            [sys.executable, *words, str(directory / "tests")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=PROJECT,
            env={
                **outside,
                "PYTHONPATH": str(PROJECT),
                "TMPDIR": str(directory),
                "PYTEST_DEBUG_TEMPROOT": str(directory),
            },
        )
        await_true(lambda: facts.with_suffix(".ready").exists() or self.process.poll() is not None)
        assert facts.exists(), self.process.communicate()[0]
        self.left: dict[str, Any] = json.loads(facts.read_text())

    def is_there(self) -> list[object]:
        """What is there of the run."""
        there: list[object] = [pid for pid in self.left["pids"] if running(pid)]
        there += [user.pw_name for user in pwd.getpwall() if user.pw_name == self.left["user"]]
        files = [f"/home/{self.left['user']}", f"/etc/sudoers.d/{self.left['user']}", self.left["directory"]]
        there += [file for file in files if Path(file).exists()]
        there += [self.left["mount"]] if self.left["mount"] in Path("/proc/mounts").read_text() else []
        return there


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    tmp_path.chmod(0o711)
    run = Run(tmp_path)
    yield run
    run.process.kill()
    run.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_signal_ends_a_run_nothing_of_it_is_left(run: Run, number: signal.Signals) -> None:
    assert len(run.is_there()) == 11, "two sshd, two jobs that hide, a user with home and rule, directory, mount"
    run.process.send_signal(number)
    killed = number == signal.SIGKILL
    assert run.process.wait() == (-number if killed else pytest.ExitCode.INTERRUPTED)
    await_true(lambda: run.is_there() == [], within=60 if killed else 0)
