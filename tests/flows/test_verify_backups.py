"""Verifying backups as a flow, on simulated hosts; the job itself is tested on real ones in tests/backup."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.client.schemas.objects import State as RunState

from remotejobs.operations.backup import Verify
from remotejobs.prefect.flows.verify_backups import verify_backups
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import reached_by
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.testing import FakeHosts, Plan
from tests.artifacts import table_of

REPORT = "remotejobs-verify 1\ngood=7\ndamaged={}\nrestored=1\nseconds=2\n{}end\n"


def run(*plans: tuple[str, Plan]) -> RunState[Any]:
    fake = FakeHosts(Plan())
    for host, plan in plans:
        fake.plan("vf_main", plan, on=host)
    with reached_by(fake.connect):
        state: RunState[Any] = verify_backups(Access(inventory="db1,db2"), "all", Verify(), return_state=True)
    return state


def test_damage_on_one_host_fails_the_run_and_is_in_the_table() -> None:
    state = run(
        ("db1", Plan(stdout=REPORT.format(0, ""))),
        ("db2", Plan(rc=1, stdout=REPORT.format(2, ""), stderr="2 of 9 backups are damaged\n")),
    )
    with pytest.raises(HostsFailed, match="verify backups on db2: failed, rc 1"):
        state.result()
    rows = table_of(state.state_details.flow_run_id)
    assert [(row["host"], row["whole"], row["damaged"]) for row in rows] == [("db2", 7, 2), ("db1", 7, 0)]


def test_what_could_not_be_restored_is_a_warning() -> None:
    warned = REPORT.format(0, "warning=untested: a.dump: no room\n")
    state = run(("db1", Plan(stdout=REPORT.format(0, ""))), ("db2", Plan(stdout=warned)))
    assert (state.name, state.message) == (
        "Warning",
        "1 of 2 with a warning\nverify backups on db2: untested: a.dump: no room",
    )


def test_a_job_that_says_nothing_did_not_verify_anything() -> None:
    with pytest.raises(HostsFailed, match="without a whole report of its verification"):
        run(("*", Plan())).result()
