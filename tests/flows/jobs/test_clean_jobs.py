"""Old job directories are removed by a flow."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from prefect.exceptions import ParameterTypeError

from remotejobs.model import Job
from remotejobs.prefect.flows.clean_jobs import clean_jobs
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from tests.artifacts import name_of, table_of


def test_old_jobs_of_all_hosts_go_and_are_listed(access: Access) -> None:
    jid = uuid4().hex
    for host in ("db1", "db2"):
        jobs_on(access, host).start(Job(jid=jid, cmd="true"))
        jobs_on(access, host).record(jid, wait=30)
    would = clean_jobs(access, "databases", older_than_days=0, keep=0, dry_run=True)
    assert {record.host for record in would if record.jid == jid} == {"db1", "db2"}
    state = clean_jobs(access, "databases", older_than_days=0, keep=0, return_state=True)
    assert name_of(state.state_details.flow_run_id) == "clean databases"
    listed = table_of(state.state_details.flow_run_id)
    assert {row["host"] for row in listed if row["jid"] == jid} == {"db1", "db2"}
    for host in ("db1", "db2"):
        assert jid not in {record.jid for record in jobs_on(access, host).list()}


@pytest.mark.parametrize("wrong", [{"older_than_days": -1}, {"keep": -1}])
def test_negative_ages_and_counts_are_refused(access: Access, wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ParameterTypeError, match=name):
        clean_jobs(**({"access": access} | wrong))
