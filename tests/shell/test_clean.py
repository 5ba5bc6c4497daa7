"""Of what ended, a clean removes what is due and names all of it; what runs stays."""

from __future__ import annotations

import pytest

from lab.job_files import kill_supervision
from remotejobs.connections.base import Question, Reply
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job
from tests.shell.shells import ShellConnection, ended, in_every_shell


@in_every_shell
def test_list_shows_all_jobs_and_clean_never_takes_a_running_one(jobs: HostJobs) -> None:
    jobs.start(Job(jid="runs", cmd="sleep 600"))
    for n in range(3):
        jobs.start(Job(jid=f"done{n}", cmd="true"))
        ended(jobs, f"done{n}")
    assert {record.jid: str(record.state) for record in jobs.list()} == {
        "runs": "running", "done0": "succeeded", "done1": "succeeded", "done2": "succeeded",
    }  # fmt: skip
    assert jobs.clean(older_than=3600) == ()
    would = [record.jid for record in jobs.clean(older_than=-1, keep=1, dry_run=True)]
    assert len(would) == 2 and "runs" not in would
    assert [record.jid for record in jobs.clean(older_than=-1, keep=1)] == would
    assert {record.jid for record in jobs.list()} == {"runs", "done0", "done1", "done2"} - set(would)


def test_a_clean_whose_answer_was_lost_and_that_was_asked_again_names_all_that_it_removed(dash: HostJobs) -> None:
    connection = dash._connection
    assert isinstance(connection, ShellConnection)
    for jid in ("a", "b"):
        dash.start(Job(jid=jid, cmd="true"))
        ended(dash, jid)
    asked = connection.ask

    def ask_twice(question: Question) -> Reply:
        first = asked(question)
        return asked(question) if b"rj_take_away" in question.script else first

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "ask", ask_twice)
        removed = dash.clean(older_than=-1)
    assert sorted(record.jid for record in removed) == ["a", "b"]
    assert dash.list() == ()


def test_an_orphaned_command_is_not_cleaned_away(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600"))
    kill_supervision(record)
    assert ended(jobs, "j").cause == "gone"
    assert jobs.clean(older_than=-1) == ()
    jobs.kill("j", grace=0)
    assert len(jobs.clean(older_than=-1)) == 1
