"""Tables of the UI, which neither sorts nor wraps them: what went wrong and why is where one looks first."""

from __future__ import annotations

import pytest

from remotejobs.prefect.tasks.jobs.reports import TableRow, after_failures, aligned, head_of, row_of, rows_of
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.outcome import marked


def end(host: str, state: str, *, succeeded: bool = False, reason: str = "") -> JobResult:
    return JobResult(host=host, step="work", state=state, succeeded=succeeded, reason=reason)


def test_what_failed_comes_first_then_what_was_unreachable_then_warnings_each_in_their_order() -> None:
    results = [
        end("a", "succeeded", succeeded=True),
        end("b", "unreachable"),
        end("c", "warning", succeeded=True),
        end("d", "failed"),
        end("e", "lost"),
    ]
    assert [row["host"] for row in rows_of(results)] == ["d", "e", "b", "c", "a"]


def test_host_state_reason_and_last_line_are_the_first_columns_whatever_a_row_has_else() -> None:
    rows: list[TableRow] = [
        {"size": "1 KiB", "state": "failed", "host": "a"},
        {"host": "b", "last line": "x", "reason": "y"},
    ]
    assert [list(row) for row in aligned(rows)] == [["host", "state", "reason", "last line", "size"]] * 2


def test_a_row_that_lacks_a_column_has_it_empty() -> None:
    assert aligned([{"host": "a", "rc": 1}, {"host": "b"}]) == [{"host": "a", "rc": 1}, {"host": "b", "rc": ""}]


def test_a_host_that_failed_has_a_row_where_the_others_have_rows_of_their_own_kind() -> None:
    results = [end("a", "succeeded", succeeded=True), end("b", "error", reason="no space")]
    rows = after_failures(results, [{"host": "a", "state": "succeeded", "path": "/x"}])
    assert rows == [row_of(results[1]), {"host": "a", "state": "succeeded", "path": "/x"}]


def test_a_reason_is_one_line() -> None:
    assert head_of(end("a", "error", reason="first\nsecond"))["reason"] == "first second"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1 of 2 failed", "1 of 2 failed"),
        (
            "1 failed\nwork on a: failed\n    last words\n\nand b",
            "1 failed\n• work on a: failed\n    | last words\n• and b",
        ),
    ],
)
def test_each_line_of_a_message_can_be_distinguished_where_line_breaks_are_not_shown(text: str, shown: str) -> None:
    assert marked(text) == shown
