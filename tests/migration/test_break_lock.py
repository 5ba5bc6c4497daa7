"""A lock that a person releases: on the host, under every shell, with its log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.jobs.locks import HostLock, LockFailed, LockHeld
from remotejobs.operations.migration.holder import RunState, run_state
from tests.shell.shells import SHELLS, ShellConnection, shell_path

RUN = "0b7c2b3e-0000-4000-8000-00000000000"


@pytest.fixture(params=SHELLS)
def lock(request: pytest.FixtureRequest, tmp_path: Path) -> HostLock:
    connection = ShellConnection(shell_path(tmp_path / "bin", request.param), tmp_path)
    return HostLock(Shell(connection), "migration", directory=f"{tmp_path}/jobs")


def test_it_is_free_then_and_the_host_has_logged_whose_it_was_and_who_released_it_and_why(
    lock: HostLock, tmp_path: Path
) -> None:
    lock.take("run-1", label="migration blue-fox")
    lock.break_lock("run-1", by="ops@desk", reason="its run\nwas deleted; data 'checked' by $HOME")
    assert lock.holder() is None
    log = tmp_path / "jobs" / ".locks" / ".released"
    said = "lock migration of run-1, released by ops@desk: its run was deleted; data 'checked' by $HOME"
    assert re.fullmatch(rf"\d{{4}}-\S+Z {re.escape(said)}\n", log.read_text())
    assert log.stat().st_mode & 0o777 == 0o600
    lock.break_lock("run-1", by="ops@desk", reason="again")  # free already: nothing to log
    assert log.read_text().count("\n") == 1


def test_a_lock_that_another_run_has_by_now_stays(lock: HostLock, tmp_path: Path) -> None:
    lock.take("run-2", label="migration red-hen")
    with pytest.raises(LockHeld, match=r"locked by migration red-hen \(run-2\).*remotejobs lock release"):
        lock.break_lock("run-1", by="ops@desk", reason="stale")
    assert lock.holder() is not None
    assert not (tmp_path / "jobs" / ".locks" / ".released").exists()


def test_what_cannot_be_logged_is_not_released(lock: HostLock, tmp_path: Path) -> None:
    lock.take("run-1", label="one")
    (tmp_path / "jobs" / ".locks" / ".released").mkdir()
    with pytest.raises(LockFailed, match=r"cannot write .*\.released"):
        lock.break_lock("run-1", by="ops@desk", reason="stale")
    assert lock.holder() is not None


class PrefectAnswers(BaseHTTPRequestHandler):
    """The route of a Prefect server that gives a flow run; which one it is decides the answer."""

    def do_GET(self) -> None:
        number = self.path[-1]
        wanted = {"1": "RUNNING", "2": "COMPLETED"}.get(number, "")
        body = {"state": {"name": wanted.title(), "type": wanted, "timestamp": "2026-01-02T03:04:05Z"}}
        self.send_response(200 if wanted or number == "4" else 500 if number == "5" else 404)
        self.end_headers()
        self.wfile.write(json.dumps(body if wanted else []).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on the terminal."""


@pytest.fixture
def prefect_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), PrefectAnswers) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("number", "state"),
    [
        ("1", RunState("Running since 2026-01-02T03:04:05Z", True)),
        ("2", RunState("Completed since 2026-01-02T03:04:05Z", False)),
        ("3", RunState("deleted: the Prefect server has no such run", False)),
        ("4", RunState("unknown: the answer of URL is not understood", None)),
        ("5", RunState("unknown: URL answered 500", None)),
    ],
)
def test_whether_its_run_goes_on_is_what_prefect_says_and_otherwise_unknown(
    prefect_url: str, number: str, state: RunState
) -> None:
    found = run_state(RUN + number, {"PREFECT_API_URL": prefect_url})
    assert RunState(found.words.replace(prefect_url, "URL"), found.goes_on) == state


def test_without_a_server_or_a_flow_run_nothing_is_known() -> None:
    assert run_state(RUN + "1", {}) == RunState("unknown: PREFECT_API_URL is not set", None)
    assert run_state("me", {"PREFECT_API_URL": "http://127.0.0.1:9"}).goes_on is None
    assert "refused" in run_state(RUN + "1", {"PREFECT_API_URL": "http://127.0.0.1:9"}).words
