"""What is said of many ends at once."""

from __future__ import annotations

from remotejobs.prefect.tasks.jobs.results import JobResult, failures_of

UNREACHABLE = JobResult(host="a", step="work", state="unreachable", reason="no route")
FAILED = JobResult(host="b", step="work", state="failed", reason="rc 1")
WELL = JobResult(host="c", step="work", state="succeeded", succeeded=True)


def test_hosts_that_could_not_be_asked_are_counted_apart_and_come_last() -> None:
    said = "2 of 3 did not succeed: 1 failed, 1 unreachable\nwork on b: rc 1\nwork on a: no route"
    assert failures_of([UNREACHABLE, FAILED, WELL]) == said


def test_where_all_the_trouble_is_of_one_kind_it_is_called_by_its_name() -> None:
    assert failures_of([UNREACHABLE, WELL]) == "1 of 2 unreachable\nwork on a: no route"
    assert failures_of([FAILED, WELL]) == "1 of 2 failed\nwork on b: rc 1"
    assert failures_of([WELL]) == ""
