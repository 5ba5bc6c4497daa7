"""What a page gets: everything at first, then what changes, as soon as it changes; over one connection a host."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from remotejobs.connections.base import Connection, Question, Reply
from remotejobs.errors import AuthenticationFailed, TimedOut
from remotejobs.inventory import load_inventory
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Job
from remotejobs.testing import FakeHosts, Plan
from tests.awaiting import await_true
from tests.web.serving import served

RARELY = 3600.0  # seconds between two questions: what is known sooner was waited for, not asked for


def start(fake: FakeHosts, hosts: str, job: Job) -> None:
    with Fleet(load_inventory(hosts).select("all"), connect=fake.connect) as fleet:
        assert all(result.value for result in fleet.each(lambda jobs: jobs.start(job)))


def host(name: str, holds: Callable[[dict[str, Any]], bool]) -> Callable[[str, Any], bool]:
    """Whether an event is of that host, and so."""
    return lambda kind, said: kind == "hosts" and any(each["host"] == name and holds(each) for each in said)


def state(wanted: str) -> Callable[[dict[str, Any]], bool]:
    return lambda each: any(job["state"] == wanted for job in each["jobs"])


def test_the_end_of_a_job_comes_when_it_ends_with_the_last_line_that_it_wrote(real_time: FakeHosts) -> None:
    real_time.plan("dump", Plan(lasts=None, stdout="half of it\n"))
    start(real_time, "db1,db2", Job(jid="dump", cmd="dump", label="nightly"))
    with served(real_time, "db1,db2,db3", poll=RARELY) as page:
        stream = page.stream("/events")
        missing = {"db1", "db2", "db3"}  # later, a word of another could come in the same message

        def complete(kind: str, said: Any) -> bool:
            if kind == "hosts":
                lines = {each["host"]: [job["line"] for job in each["jobs"]] for each in said}
                missing.difference_update(name for name, words in lines.items() if name == "db3" or any(words))
            return not missing

        stream.until(complete)
        real_time.ends("dump", 3, on="db2", stderr="disk full\n")
        seen = stream.until(host("db2", lambda each: [job["finished"] for job in each["jobs"]] == [True]))
        (changed,) = (each for each in seen if each["host"] == "db2")
        (job,) = changed["jobs"]
        assert (job["name"], job["state"], job["rc"], job["line"]) == ("nightly", "failed", "3", "disk full")
        assert [each.state for each in page.board.live.records] == ["running", "failed"]


def test_the_turn_of_a_queued_job_comes_when_it_comes_and_until_then_the_holder_is_named(real_time: FakeHosts) -> None:
    real_time.plan("", Plan(lasts=None))
    for jid in ("first", "second"):
        start(real_time, "db1,", Job(jid=jid, cmd=jid, locks=("disk",)))
    with served(real_time, "db1,", poll=RARELY) as page:
        stream = page.stream("/events")
        said = stream.until(host("db1", state("queued")))
        waiting = next(job for job in said[0]["jobs"] if job["state"] == "queued")
        assert "waits for lock disk, held by first" in waiting["msg"]
        real_time.ends("first")
        stream.until(host("db1", lambda each: [job["state"] for job in each["jobs"]] == ["succeeded", "running"]))


def test_a_host_without_contact_keeps_its_jobs_as_they_were_and_says_since_when(real_time: FakeHosts) -> None:
    real_time.plan("dump", Plan(lasts=None))
    start(real_time, "db1,", Job(jid="dump", cmd="dump"))
    with served(real_time, "db1,", poll=1) as page:
        stream = page.stream("/events")
        asked = stream.until(host("db1", state("running")))[0]["asked"]
        real_time.host("db1").unreachable()
        (gone,) = stream.until(host("db1", lambda each: each["wrong"] == "unreachable"))
        assert gone["msg"] == "nothing listens there"
        assert gone["away"] >= asked
        assert state("running")(gone)
        real_time.host("db1").reachable()
        stream.until(host("db1", lambda each: each["wrong"] == "" and state("running")(each)))


def test_a_job_that_is_new_on_one_host_makes_the_others_be_asked_too(
    real_time: FakeHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_time.plan("", Plan(lasts=None))
    start(real_time, "db1,", Job(jid="before", cmd="before"))
    monkeypatch.setattr("remotejobs.web.live_fleet._SWEEP_EVERY", 0.0)
    with served(real_time, "db1,db2", poll=RARELY) as page:
        stream = page.stream("/events")
        stream.until(host("db1", state("running")))
        await_true(lambda: page.board.live.seen("db2").asked is not None)
        start(real_time, "db1,db2", Job(jid="new", cmd="new"))
        real_time.ends("before")  # by which db1 is asked
        stream.until(host("db2", state("running")))


def test_hundreds_of_hosts_are_asked_and_waited_for_by_few_threads(real_time: FakeHosts) -> None:
    names = [f"h{number}" for number in range(200)]
    real_time.plan("dump", Plan(lasts=None))
    start(real_time, ",".join(names), Job(jid="dump", cmd="dump"))
    with served(real_time, ",".join(names), poll=RARELY) as page:
        stream = page.stream("/events")
        await_true(lambda: all(real_time.host(name)._pending for name in names))
        asking = [thread.name for thread in threading.enumerate() if thread.name in ("host", "host apart")]
        assert 1 <= len(asking) <= page.board.live.fleet.forks
        real_time.ends("dump", on="h7")
        stream.until(host("h7", state("succeeded")))


def test_a_host_that_does_not_answer_has_a_thread_of_its_own_when_it_is_asked_again(real_time: FakeHosts) -> None:
    asked_by: list[str] = []

    class Silent:
        """A host that is asked in vain; it cannot be waited for."""

        host = "db1"

        def ask(self, _question: Question) -> Reply:
            asked_by.append(threading.current_thread().name)
            raise TimedOut("db1", "it says nothing")

        def close(self) -> None:
            """Nothing is open."""

    def connect(host: HostLike) -> Connection:
        return Silent() if host.name == "db1" else real_time.host(host.name)

    with served(real_time, "db1,db2", poll=0.1, connect=connect) as page:
        await_true(lambda: len(asked_by) >= 3)
        await_true(lambda: page.board.live.seen("db2").asked is not None)
    assert asked_by[:3] == ["host", "host apart", "host apart"]


def test_a_host_that_can_get_no_thread_of_its_own_is_asked_all_the_same(
    real_time: FakeHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_calls: object, *, name: str) -> None:
        raise RuntimeError(f"can't start new thread {name}")

    with served(real_time, "db1,", poll=0.1) as page:
        await_true(lambda: page.board.live.seen("db1").asked is not None)
        monkeypatch.setattr("remotejobs.web.live_fleet.start_threads", full)
        real_time.host("db1").unreachable()
        await_true(lambda: page.board.live.seen("db1").error is not None)
        real_time.host("db1").reachable()
        await_true(lambda: page.board.live.seen("db1").error is None)


def test_there_is_one_connection_a_host_for_all_pages_outputs_and_upkeep(real_time: FakeHosts) -> None:
    opened: Counter[str] = Counter()

    def connect(host: HostLike) -> Connection:
        opened[host.name] += 1
        return real_time.host(host.name)

    real_time.plan("dump", Plan(lasts=None, stdout="half\n"))
    start(real_time, "db1,db2", Job(jid="dump", cmd="dump"))
    with served(real_time, "db1,db2", connect=connect) as page:
        for stream in [page.stream("/events") for _ in range(3)]:
            stream.until(host("db1", state("running")))
        page.stream("/output?host=db1&jid=dump").named("output")
        await_true(lambda: not page.board.live.upkeep.errors)
    assert opened == {"db1": 1, "db2": 1}


def test_what_needs_a_person_is_told_as_it_comes_with_what_to_do(real_time: FakeHosts) -> None:
    real_time.plan("dump", Plan(lasts=None))
    start(real_time, "db1,", Job(jid="dump", cmd="dump", label="nightly"))
    with served(real_time, "db1,db2", poll=1) as page:
        stream = page.stream("/events")
        assert stream.named("needs") == []
        real_time.loses("nightly")
        (need,) = stream.until(lambda kind, said: kind == "needs" and bool(said))
        assert (need["kind"], need["host"], need["jid"]) == ("lost", "db1", "dump")
        real_time.host("db2").unreachable(AuthenticationFailed, "the key was refused")
        needs = stream.until(lambda kind, said: kind == "needs" and len(said) == 2)
        assert ("db2", "the key was refused") in [(need["host"], need["text"]) for need in needs]
        assert "Check ansible_user and the key" in needs[1]["remedy"]


def test_the_output_comes_as_it_is_written_both_streams_apart_until_the_job_ends(real_time: FakeHosts) -> None:
    real_time.plan("dump", Plan(lasts=None, stdout="one\n", stderr="\x1b[31mcareful\n"))
    start(real_time, "db1,", Job(jid="dump", cmd="dump all"))
    with served(real_time, "db1,") as page:
        stream = page.stream("/output?host=db1&jid=dump")
        assert "remotejobs log db1 dump" in stream.named("details")["commands"]
        said = stream.named("output")
        assert (said["stdout"]["text"], said["stderr"]["text"]) == ("one\n", "\\x1b[31mcareful\n")
        real_time.writes("dump", "two ü\n")
        assert stream.named("output") == {"stdout": {"text": "two ü\n", "skipped": 0, "bytes": 11}}
        real_time.host("db1").unreachable()
        assert stream.named("away").startswith("db1: ")
        real_time.host("db1").reachable()
        real_time.ends("dump", stdout="three\n")
        assert stream.named("output")["stdout"]["text"] == "three\n"
        assert stream.named("end") == {"cmd": "dump all", "state": "succeeded"}


def test_a_job_or_host_that_is_not_there_is_said_to_be_so(real_time: FakeHosts) -> None:
    with served(real_time, "db1,") as page:
        assert "does not exist" in page.stream("/output?host=db1&jid=nothing").named("gone")
        assert page.ask("/output?host=db9&jid=nothing").status == 404
        assert "'../x' is not allowed" in page.stream("/output?host=db1&jid=../x").named("gone")


def test_an_output_that_is_written_faster_than_it_is_sent_goes_on_with_its_end(real_time: FakeHosts) -> None:
    real_time.plan("dump", Plan(lasts=None, stdout="one\n"))
    start(real_time, "db1,", Job(jid="dump", cmd="dump all"))
    with served(real_time, "db1,") as page:
        stream = page.stream("/output?host=db1&jid=dump")
        assert stream.named("output")["stdout"]["text"] == "one\n"
        real_time.writes("dump", "x" * 2_000_000 + "the end\n")
        said = stream.until(lambda name, said: name == "output" and said["stdout"]["text"].endswith("the end\n"))
        assert said["stdout"]["skipped"] > 1_900_000
        assert sum(name == "output" for name in stream.names) == 3


def test_the_command_of_a_job_that_writes_nothing_is_sent_once(
    real_time: FakeHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remotejobs.web.stream._LOOK", 0.01)
    real_time.plan("dump", Plan(lasts=None))
    start(real_time, "db1,", Job(jid="dump", cmd="dump all"))
    with served(real_time, "db1,") as page:
        stream = page.stream("/output?host=db1&jid=dump")
        stream.named("command")
        real_time.ends("dump")
        stream.named("end")
        assert stream.names == ["details", "command", "end"]


def test_a_page_that_hears_nothing_new_hears_that_it_is_live(
    real_time: FakeHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remotejobs.web.stream.ALIVE", 0.1)
    with served(real_time, "db1,", poll=RARELY) as page:
        assert page.stream("/events").named("alive") > 0


def test_of_many_jobs_that_failed_each_has_its_last_line_in_the_end(real_time: FakeHosts) -> None:
    real_time.plan("", Plan(rc=1, stderr="disk full\n"))
    for number in range(25):
        start(real_time, "db1,", Job(jid=f"dump{number}", cmd="dump"))
    with served(real_time, "db1,", poll=0.05) as page:
        page.stream("/events").until(
            host("db1", lambda each: all(job["line"] for job in each["jobs"] or [{"line": ""}]))
        )
