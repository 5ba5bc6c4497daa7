"""A restore by a deployment: what exists is replaced only after a yes in the UI."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from lab.servers.prefect.api import RunStatus
from remotejobs.model import State
from remotejobs.operations.backup import BackupPlan, FilesItem, job_of, report_of
from remotejobs.prefect.tasks.connections import jobs_on
from tests.cluster import Cluster, await_true
from tests.processes import processes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("survivor")]


@pytest.fixture
def saved(cluster: Cluster) -> Path:
    """A backup of `site` on db1, which has changed since; the directory that it is to be restored to."""
    home = cluster.ssh.host("db1").home
    (home / "site").mkdir()
    (home / "site" / "page").write_text("as it was")
    item = FilesItem(name="site", hosts="db1", base=str(home / "site"), paths=("page",))
    plan = BackupPlan(files=(item,), directory=str(home / "saved"), min_free_mib=0)
    jobs, job = jobs_on(cluster.access, "db1"), job_of(plan, item, host="db1", jid=uuid4().hex)
    jobs.start(job)
    record = jobs.record(job.jid, wait=60)
    assert record.state is State.SUCCEEDED, record.stderr
    assert report_of(record).path
    (home / "site" / "page").write_text("as it is")
    return home / "site"


def ask(cluster: Cluster, site: Path) -> RunStatus:
    """A run that waits for a person, and has no process."""
    wanted = {"item": "site", "directory": str(site.parent / "saved"), "to": str(site), "reserve_mib": 0}
    run = cluster.start("restore", hosts="db1", restore=wanted, dry_run=False, poll=5)
    cluster.await_state(run, "Suspended")
    await_true(lambda: not processes(run.id))
    return run


def test_what_exists_is_replaced_after_a_yes_and_stays_after_a_no(cluster: Cluster, saved: Path) -> None:
    run = ask(cluster, saved)
    question = cluster.api.question(run)
    assert f"Restore **site** to the directory **{saved}**:" in question.replace("\\", "")
    assert "What is there is **replaced**, and kept under another name." in question
    cluster.api.answer(run, approve=False, reason="not today")
    cluster.await_state(run, "Refused")
    assert (saved / "page").read_text() == "as it is"
    run = ask(cluster, saved)
    cluster.api.answer(run, approve=True, reason="yes")
    done = cluster.await_state(run, "Completed", "Failed", "Crashed")
    assert done.state
    assert done.state.name == "Completed", done.state.message
    assert (saved / "page").read_text() == "as it was"
    (kept,) = saved.parent.glob("site.before-*")
    assert (kept / "page").read_text() == "as it is"
    assert len(cluster.jobs_of(run, "db1")) == 1
