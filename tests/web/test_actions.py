"""What a person may do from the page: end a job, and run one again where it failed, if that would be the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from remotejobs.errors import JobNotFound
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record
from remotejobs.testing import FakeHosts, Plan
from remotejobs.web.app import ASKING
from tests.awaiting import await_true
from tests.web.serving import TOKEN, Served, served

WORD = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def page(real_time: FakeHosts) -> Iterator[Served]:
    real_time.plan("dump", Plan(lasts=None))
    real_time.plan("bad", Plan(rc=3), on="db[12]")
    with served(real_time, "db1,db2,db3", actions=True) as page:
        yield page


def start(page: Served, job: Job) -> None:
    for host in page.board.hosts:
        page.board.live.fleet.jobs(host).start(job)
    page.board.live.ask_now()
    await_true(lambda: sum(record.jid == job.jid for record in page.board.live.records) == len(page.board.hosts))


def post(page: Served, path: str, **fields: str | list[str]) -> Any:
    answer = page.ask(path, "POST", BEARER, **fields)
    body = answer.read().decode()
    return json.loads(body) if answer.status == 200 else (answer.status, body)


def test_a_kill_ends_the_job_on_that_host_alone_says_how_it_was_proven_and_is_logged(page: Served) -> None:
    start(page, Job(jid="dump", cmd="dump"))
    (done,) = post(page, "/kill", host="db2", jid="dump")
    assert (done["host"], done["ok"]) == ("db2", True)
    assert done["text"].startswith("killed killed on request; ")
    states = [page.board.live.fleet.jobs(host).record("dump").state for host in page.board.hosts]
    assert states == ["running", "killed", "running"]
    assert page.log == ["kill dump on db2: asked for by 127.0.0.1", f"kill dump on db2: {done['text']}"]


def test_a_job_is_run_again_only_where_it_failed_and_under_one_new_jid(page: Served, real_time: FakeHosts) -> None:
    start(page, Job(jid="first", cmd="bad luck", label="unlucky"))
    done = post(page, "/again", jid="first", host=["db1", "db2"], timeout="90")
    assert [(each["host"], each["ok"]) for each in done] == [("db1", True), ("db2", True)]
    new = {started.job.jid: started for started in real_time.started("unlucky") if started.job.jid != "first"}
    (jid,) = new
    assert (new[jid].job.cmd, new[jid].job.timeout) == ("bad luck", 90)
    assert [started.host for started in real_time.started(jid)] == ["db1", "db2"]


def test_a_post_that_is_repeated_is_done_once_and_answered_alike(page: Served, real_time: FakeHosts) -> None:
    start(page, Job(jid="first", cmd="bad luck", label="unlucky"))
    with ThreadPoolExecutor(4) as threads:
        same = [threads.submit(post, page, "/again", jid="first", host="db1", once=WORD) for _ in range(4)]
    answers = [each.result() for each in same] + [post(page, "/again", jid="first", host="db1", once=WORD)]
    assert [answer == answers[0] for answer in answers] == [True] * 5
    assert [started.host for started in real_time.started("unlucky", on="db1")] == ["db1", "db1"]
    assert page.log.count("run again first on db1: asked for by 127.0.0.1") == 1
    refused, said = post(page, "/again", jid="first", host=["db1", "db2"], once=WORD)
    assert (refused, "asked for already, with other hosts" in said) == (409, True)
    assert len(real_time.started("unlucky")) == 4  # the first start, on three hosts, and one


def test_another_word_asks_for_another_run_and_what_is_no_word_for_nothing_special(
    page: Served, real_time: FakeHosts
) -> None:
    start(page, Job(jid="first", cmd="bad luck", label="unlucky"))
    for word in (WORD, WORD[::-1], "x", "x"):
        assert post(page, "/again", jid="first", host="db1", once=word)[0]["ok"]
    assert len(real_time.started("unlucky", on="db1")) == 5


@pytest.mark.parametrize("settings", [{"env": {"TARGET": "orders"}}, {"chdir": "/srv"}, {"interpreter": "bash"}])
def test_a_job_whose_settings_its_host_does_not_tell_is_not_run_again(
    page: Served, real_time: FakeHosts, settings: dict[str, Any]
) -> None:
    start(page, Job(jid="first", cmd="bad luck", **settings))
    done = post(page, "/again", jid="first", host=["db1", "db2"])
    assert [each["ok"] for each in done] == [False, False]
    assert "interpreter, chdir or env differ" in done[0]["text"]
    assert {started.job.jid for started in real_time.started()} == {"first"}


def test_what_is_lost_or_succeeded_or_is_not_there_is_not_run_again(page: Served, real_time: FakeHosts) -> None:
    start(page, Job(jid="dump", cmd="dump"))
    real_time.loses("dump")
    page.board.live.ask_now()
    await_true(lambda: all(record.finished for record in page.board.live.records))
    (refused,) = post(page, "/again", jid="dump", host="db1")
    assert (refused["ok"], "job dump is lost" in refused["text"]) == (False, True)
    for path in ("/again", "/kill"):
        for host, jid in (("db1", "nothing"), ("db9", "dump"), ("db1", "../x"), ("db1", "dump\n")):
            assert post(page, path, host=host, jid=jid) == (404, "There is no such job that this can be done to.\n")
    assert post(page, "/again", jid="dump", timeout="-1") == (400, "A timeout is a whole number of seconds.\n")
    assert len(real_time.started()) == 3


def test_a_job_is_run_again_on_the_hosts_that_were_confirmed_and_on_no_other(
    page: Served, real_time: FakeHosts
) -> None:
    start(page, Job(jid="first", cmd="bad luck", label="unlucky"))
    (done,) = post(page, "/again", jid="first", host="db1")  # it failed on db2 since
    assert (done["host"], done["ok"]) == ("db1", True)
    assert [each.host for each in real_time.started("unlucky") if each.job.jid != "first"] == ["db1"]


def test_a_job_that_is_cleaned_away_while_it_is_run_again_runs_once(
    page: Served, real_time: FakeHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(page, Job(jid="first", cmd="bad luck", label="unlucky"))
    as_it_was = HostJobs.record

    def record(jobs: HostJobs, jid: str, *, wait: float = 0) -> Record:
        try:
            return as_it_was(jobs, jid, wait=wait)
        finally:
            jobs.clean(older_than=-1)

    monkeypatch.setattr(HostJobs, "record", record)
    (done,) = post(page, "/again", jid="first", host="db1", timeout="90")
    assert done["ok"]
    assert [started.job.timeout for started in real_time.started("unlucky", on="db1")] == [90]


def test_what_the_page_does_not_show_is_not_ended_by_it(page: Served) -> None:
    page.board.live.stop()  # so it does not see what begins now
    page.board.live.fleet.jobs("db1").start(Job(jid="other", cmd="dump"))
    assert post(page, "/kill", host="db1", jid="other")[0] == 404
    assert not page.board.live.fleet.jobs("db1").record("other").finished


def test_an_action_does_not_wait_for_the_outputs_that_pages_follow(
    page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(page, Job(jid="dump", cmd="dump"))
    answered, asked = threading.Event(), threading.Semaphore(0)

    def hang(*_: object) -> Record:
        asked.release()
        assert answered.wait(60)
        raise JobNotFound("db1", "no job")

    monkeypatch.setattr("remotejobs.web.stream._ask", hang)
    streams = [page.stream("/output?host=db1&jid=dump", **BEARER) for _ in range(ASKING)]
    for _ in streams:
        assert asked.acquire(timeout=60)
    try:
        (done,) = post(page, "/kill", host="db2", jid="dump")
        assert done["ok"]
    finally:
        answered.set()
