"""The product as Python."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import remotejobs
from remotejobs import Record, RemoteJobs, State, Unreachable, UsageError
from remotejobs.testing import FakeHosts, Plan

ROOT = Path(__file__).parents[2]


def test_the_documented_example_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory = tmp_path / "hosts.yml"
    here = "ansible_connection: local, remotejobs_dir: "
    inventory.write_text(f"all: {{hosts: {{a: {{{here}{tmp_path}/a}}, b: {{{here}{tmp_path}/b}}}}}}\n")
    monkeypatch.setenv("REMOTEJOBS_INVENTORY", str(inventory))
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs/reference/python.md").read_text(), re.S)
    assert found
    exec(found[1], {})
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines)[1:] and {line[:13] for line in lines} >= {"a succeeded 0", "b succeeded 0"}
    assert sum("['run-" in line for line in lines) == 2


def test_every_name_that_the_package_promises_is_there() -> None:
    assert all(getattr(remotejobs, name).__name__ == name for name in remotejobs.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = remotejobs.nothing


def test_the_package_itself_loads_nothing() -> None:
    script = "import sys, remotejobs; print(sum(name.startswith('remotejobs') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "1"


def test_of_a_group_the_first_ends_may_be_enough() -> None:
    fake = FakeHosts(Plan(lasts=None))
    fake.plan("pg_dump", Plan(lasts=60), on="db2")
    with RemoteJobs("db1,db2,db3", connect=fake.connect) as remote:
        started = remote.start("all", "pg_dump orders", jid="dump")
        assert [(outcome.host, outcome.error) for outcome in started.results] == [
            ("db1", None),
            ("db2", None),
            ("db3", None),
        ]
        assert [end.host for end in remote.wait("all", started.jid, count=1)] == ["db2"]
        states = [outcome.value.state for outcome in remote.status("all", "dump") if outcome.value]
        assert states == [State.RUNNING, State.SUCCEEDED, State.RUNNING]
        killed = remote.kill("db*", "dump")
    assert [end.value.state for end in killed if end.value] == [State.KILLED, State.SUCCEEDED, State.KILLED]


def test_an_unreachable_host_is_reported_and_not_counted_as_ended() -> None:
    fake = FakeHosts(Plan(lasts=60))
    with RemoteJobs("db1,db2", connect=fake.connect) as remote:
        remote.start("all", "pg_dump orders", jid="dump")
        fake.host("db1").unreachable()
        ends = list(remote.wait("all", "dump", count=2))
    assert {end.host: type(end.error) for end in ends if end.error}.keys() == {"db1"}
    assert isinstance(next(end.error for end in ends if end.error), Unreachable)
    assert [end.host for end in ends if end.value] == ["db2"]


def test_running_jobs_are_reported_while_an_end_is_waited_for() -> None:
    fake = FakeHosts(Plan(lasts=60, stdout="half of it\n"))
    polls: list[Record] = []
    with RemoteJobs("db1,", connect=fake.connect) as remote:
        remote.start("all", "pg_dump orders", jid="dump")
        ends = [end.value.state for end in remote.wait("all", "dump", poll=20, on_poll=polls.append) if end.value]
        with pytest.raises(UsageError, match="at least 1 s"):
            remote.wait("all", "dump", poll=0.5)
    assert ends == [State.SUCCEEDED]
    assert {record.state for record in polls} == {State.RUNNING}


@pytest.mark.parametrize("count", [0, 3])
def test_no_more_ends_can_be_awaited_than_there_are_hosts(count: int) -> None:
    with RemoteJobs("db1,db2", connect=FakeHosts().connect) as remote, pytest.raises(UsageError, match="count"):
        remote.wait("all", "dump", count=count)


def test_what_old_jobs_left_is_listed_and_removed() -> None:
    with RemoteJobs("db1,", connect=FakeHosts().connect) as remote:
        remote.start("db1", "true", jid="j")
        assert [record.jid for there in remote.clean("all", older_than=0, dry_run=True) for record in there.value or ()]
        assert [record.jid for there in remote.list() for record in there.value or ()] == ["j"]
        remote.clean("all", older_than=0)
        assert [there.value for there in remote.list()] == [()]
