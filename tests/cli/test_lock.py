"""`remotejobs lock`: the holder of a migration's lock is shown, and released with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.connections.local import LocalConnection
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.locks import HostLock
from remotejobs.model import Job
from tests.cli.conftest import Hosts
from tests.cli.running import CommandResult, remotejobs


@pytest.fixture(autouse=True)
def _without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_PROFILES_PATH", "/nowhere")


def lock(hosts: Hosts, action: str, *words: str, pattern: str = "all") -> CommandResult:
    return remotejobs("lock", action, pattern, "-i", str(hosts.inventory), *words)


def held(place: Path, name: str, owner: str) -> HostLock:
    lock = HostLock(Shell(LocalConnection(name)), "migration", directory=str(place / name))
    lock.take(owner, label="migration blue-fox")
    return lock


def test_the_holder_is_shown_with_what_is_known_of_its_run_and_free_hosts_as_free(
    local_hosts: Hosts, place: Path
) -> None:
    owner = str(uuid4())
    held(place, "here", owner)
    shown = lock(local_hosts, "status")
    assert shown.code == 0
    assert f"migration blue-fox ({owner})" in shown.out
    assert "unknown: PREFECT_API_URL is not set" in shown.out
    assert shown.out.splitlines()[-1].split() == ["too", "free"]
    said = [json.loads(line) for line in lock(local_hosts, "status", "--json").out.splitlines()]
    assert [(each["host"], each["owner"], each["jobs"]) for each in said] == [("here", owner, []), ("too", "", [])]


def test_it_is_released_with_a_reason_that_the_host_keeps(local_hosts: Hosts, place: Path) -> None:
    owned = held(place, "here", str(uuid4()))
    assert lock(local_hosts, "release").code == 1
    assert lock(local_hosts, "release", "--reason", " ").code == 1
    done = lock(local_hosts, "release", "--reason", "restored by hand")
    assert (done.code, "released: migration blue-fox" in done.out) == (0, True)
    assert owned.holder() is None
    assert (place / "here" / ".locks" / ".released").read_text().endswith(": restored by hand\n")


def test_a_release_that_is_only_tried_shows_what_would_go_and_what_would_be_refused(
    local_hosts: Hosts, place: Path
) -> None:
    here, too = held(place, "here", str(uuid4())), held(place, "too", owner := str(uuid4()))
    HostJobs(LocalConnection("too"), directory=str(place / "too")).start(Job(jid=f"migrate.{owner}", cmd="sleep 300"))
    tried = lock(local_hosts, "release", "--reason", "x", "--dry-run")
    assert (tried.code, f"its jobs migrate.{owner} run there" in tried.err) == (2, True)
    assert "would be released: migration blue-fox" in tried.out
    assert tried.out.endswith("Nothing was released.\n")
    assert None not in (here.holder(), too.holder())


def test_while_a_job_of_its_run_runs_there_it_is_kept_unless_forced(local_hosts: Hosts, place: Path) -> None:
    owner = str(uuid4())
    owned = held(place, "here", owner)
    HostJobs(LocalConnection("here"), directory=str(place / "here")).start(Job(jid=f"migrate.{owner}", cmd="sleep 300"))
    refused = lock(local_hosts, "release", "--reason", "x", pattern="here")
    assert (refused.code, f"its jobs migrate.{owner} run there" in refused.err) == (2, True)
    assert owned.holder() is not None
    assert lock(local_hosts, "release", "--reason", "x", "--force", pattern="here").code == 0
    assert owned.holder() is None
