"""Any command on a pattern of hosts, by the flow."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State as RunState
from prefect.exceptions import ParameterTypeError

from flows.run_command import run_command
from lab.sshd import SshLab
from remotejobs.inventory import PatternError
from remotejobs.model import Job, State
from tasks.access import Access
from tasks.connections import jobs_on
from tasks.ends import End
from tasks.errors import HostsFailed
from tasks.until import Until
from tests.artifacts import name_of, table_of

OFTEN = Until(retries=300, delay=0.1)


def run(access: Access, hosts: str, command: str, **others: object) -> RunState[list[End]]:
    given = {"access": access, "hosts": hosts, "command": command, "until": OFTEN, "label": "work"}
    state: RunState[list[End]] = run_command(**(given | others), return_state=True)
    return state


def test_a_command_runs_on_every_host_of_the_pattern(access: Access) -> None:
    state = run(access, "all", "echo hello from $HOME")
    rows = table_of(state.state_details.flow_run_id)
    assert [(row["host"], row["state"], row["rc"]) for row in rows] == [
        ("db1", "succeeded", 0),
        ("db2", "succeeded", 0),
        ("files1", "succeeded", 0),
    ]
    assert str(rows[2]["said"]).endswith("files1/home")


def test_one_failing_host_fails_the_run_by_name_and_stops_no_other(access: Access) -> None:
    state = run(access, "all", 'case $HOME in */db2/*) echo "disk full" >&2; exit 9;; esac; sleep 1; echo done')
    with pytest.raises(HostsFailed, match=r"1 of 3 failed\nwork on db2: failed, rc 9 after .*\n    disk full$"):
        state.result()
    states = {row["host"]: row["state"] for row in table_of(state.state_details.flow_run_id)}
    assert states == {"db1": "succeeded", "db2": "failed", "files1": "succeeded"}


def test_a_host_that_cannot_be_reached_is_told_from_a_failed_one(lab: SshLab, tmp_path: Path) -> None:
    inventory = lab.write_inventory(tmp_path / "inventory.yml")
    # Its key is not the one that is known: an answer that no second try would change.
    inventory.write_text(inventory.read_text().replace(str(lab.known_hosts), "/dev/null", 1))
    state = run(Access(inventory=str(inventory)), "all", "true")
    rows = table_of(state.state_details.flow_run_id)
    assert {row["host"]: row["state"] for row in rows} == {
        "db1": "unreachable",
        "db2": "succeeded",
        "files1": "succeeded",
    }


def test_with_a_delay_of_zero_jobs_are_left_running(access: Access) -> None:
    ends = run(access, "databases", "sleep 300", until=Until(delay=0)).result()
    assert [(end.host, end.state) for end in ends] == [("db1", "running"), ("db2", "running")]
    for end in ends:
        words = shlex.split(end.reason.removeprefix("left running; look at it with: "))
        assert words[:3] == ["remotejobs", "status", end.host]
        assert jobs_on(access, end.host).look(words[3]).state is State.RUNNING
        jobs_on(access, end.host).kill(words[3])


def test_the_table_has_all_that_is_known_of_a_job_that_was_killed_when_retries_ran_out(access: Access) -> None:
    state = run(access, "db1", "echo half; exec sleep 300", until=Until(retries=1, delay=0.1, on_exhausted="kill"))
    (row,) = table_of(state.state_details.flow_run_id)
    assert row["state"] == "killed"
    assert row["rc"] == 143
    assert row["duration"]
    assert "remotejobs log db1 " in str(row["said"])


@pytest.mark.parametrize("wrong", [{"limit": -5}, {"command": ""}, {"hosts": ""}, {"label": ""}])
def test_a_parameter_that_makes_no_sense_is_named_before_anything_is_started(
    access: Access, wrong: dict[str, Any]
) -> None:
    (name,) = wrong
    with pytest.raises(ParameterTypeError, match=name):
        run_command(**{"access": access, "hosts": "db1", "command": "true", **wrong})


def test_a_command_is_ended_by_its_limit(access: Access) -> None:
    with pytest.raises(HostsFailed, match="timed_out"):
        run(access, "db1", "sleep 300", limit=1).result()


def test_a_pattern_that_matches_nothing_fails_before_anything_is_started(access: Access) -> None:
    with pytest.raises(PatternError, match="web"):
        run(access, "web", "true").result()


def test_a_run_is_called_by_its_command_and_hosts(access: Access) -> None:
    state = run(access, "db1", "echo one\necho two")
    assert name_of(state.state_details.flow_run_id) == "`echo one echo two` on db1"


def test_the_example_inventory_fails_the_run_at_once_by_the_name_of_the_parameter() -> None:
    # As the deployment gives it.
    given: dict[str, Any] = {"access": {"inventory": "inventories/example.yml"}, "hosts": "all", "command": "true"}
    with pytest.raises(ParameterTypeError, match="access.inventory: Value error, inventories/example.yml is only an"):
        run_command(**given)


def test_a_run_that_waits_for_a_lock_says_so_and_can_be_ended_with_nothing_run(access: Access) -> None:
    holder = jobs_on(access, "db1")
    holder.start(Job(jid="holds-the-lock", cmd="sleep 600", locks=("apt",)))
    state = run(access, "db1", "echo ran", locks=["apt"], queue_limit=1, launcher="plain")
    with pytest.raises(
        HostsFailed, match="queue limit of 1 s exceeded: it waited for lock apt, held by holds-the-lock"
    ):
        state.result()
    until = Until(retries=1, delay=0.1, on_exhausted="kill")
    state = run(access, "db1", "echo ran", locks=["apt"], slots=2, until=until)
    with pytest.raises(HostsFailed, match=r"queued .* waits for lock apt, held by holds-the-lock; number 1 in line"):
        state.result()
    (row,) = table_of(state.state_details.flow_run_id)
    assert (row["state"], row["rc"]) == ("killed", "")
    assert holder.kill("holds-the-lock", grace=0).state is State.KILLED
