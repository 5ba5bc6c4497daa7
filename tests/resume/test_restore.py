"""A restore by a deployment: what exists is replaced only after a yes in the UI, and a cancel ends what fetches it."""

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
    (home / "site").mkdir(exist_ok=True)
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


def test_a_cancel_in_the_middle_of_a_fetch_ends_it_with_proof_and_another_run_restores(
    cluster: Cluster, saved: Path
) -> None:
    home, began = saved.parent, saved.parent / "fetching"
    halfway = f'head -c 100 "{home}/saved/$BACKUP_NAME"; echo $$ >{began}; until [ -e {home}/go ]; do sleep 0.2; done'
    fetch = f'case $BACKUP_NAME in _record-*) cat "{home}/saved/${{BACKUP_NAME#_record-}}.json" ;; *) {halfway} ;; esac'
    wanted = {"item": "site", "directory": str(home / "new"), "to": str(home / "back"), "reserve_mib": 0}
    wanted |= {"fetch": fetch, "names": f"ls {home}/saved/*.gz"}
    run = cluster.start("restore", hosts="db1", restore=wanted, dry_run=False, poll=5)
    await_true(began.exists)
    cluster.api.cancel(run)
    ended = cluster.await_state(run, "Cancelled", "Completed", "Failed", "Crashed")
    assert ended.state and ended.state.name == "Cancelled", ended.state
    (job,) = cluster.jobs_of(run, "db1")
    assert (job.label.split()[0], job.state, job.survivors) == ("fetch", State.KILLED, "")
    assert not Path(f"/proc/{began.read_text().strip()}").exists()
    await_true(lambda: not processes(run.id))
    assert not (home / "back").exists() and not [*(home / "new").iterdir()]
    again = cluster.start(
        "restore",
        hosts="db1",
        restore=wanted | {"fetch": fetch.replace("head -c 100", "cat", 1)},
        dry_run=False,
        poll=5,
    )
    (home / "go").touch()
    done = cluster.await_state(again, "Completed", "Failed", "Crashed")
    assert done.state and done.state.name == "Completed", done.state
    assert (home / "back" / "page").read_text() == "as it was"
