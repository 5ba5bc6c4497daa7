"""A job that could not be run as it is meant is refused before anything is touched."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.errors import InvalidJob
from remotejobs.model import Job, Record, State, check_jid


@given(st.text(max_size=110))
def test_a_jid_is_allowed_exactly_when_it_fits_the_rule(jid: str) -> None:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", jid, re.ASCII):
        assert check_jid(jid) == jid
    else:
        with pytest.raises(InvalidJob, match="not allowed"):
            check_jid(jid)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True))
def test_every_jid_of_the_rule_is_allowed(jid: str) -> None:
    assert check_jid(jid) == jid


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"jid": "../x"}, "jid"),
        ({"cmd": "  \n"}, "empty"),
        ({"cmd": "a\0b"}, "NUL"),
        ({"cmd": "a\udcffb"}, "UTF-8"),
        ({"label": "a\nb"}, "label"),
        ({"chdir": "/x\x1b"}, "chdir"),
        ({"interpreter": " "}, "interpreter"),
        ({"timeout": 0}, "timeout"),
        ({"grace": -1}, "grace"),
        ({"grace": 601}, "grace"),
        ({"chdir": "sub"}, "absolute"),
        ({"locks": ("apt", "a b")}, "lock 'a b'"),
        ({"slots": 0}, "slots"),
        ({"slots": 1, "pool": "a=b"}, "pool 'a=b'"),
        ({"pool": "dumps"}, "without slots"),
        ({"locks": ("apt",), "queue_timeout": 0}, "queue_timeout 0"),
        ({"queue_timeout": 60}, "queue_timeout without locks or slots"),
        ({"launcher": "docker"}, "launcher 'docker'"),
        ({"env": {"A B": "x"}}, "'A B'"),
        ({"env": {"REMOTEJOBS_TOKEN": "x"}}, "REMOTEJOBS_TOKEN"),
        ({"env": {"rj_x": "x"}}, "rj_x"),
        ({"env": {"UID": "0"}}, "UID"),
        ({"env": {"A": "x\0"}}, "NUL"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidJob, match=named):
        Job(**{"jid": "j", "cmd": "true", **change})


def test_environment_values_are_in_no_repr() -> None:
    assert "hunter2" not in repr(Job(jid="j", cmd="true", env={"PASSWORD": "hunter2"}))


def test_only_queued_and_running_are_no_ends() -> None:
    assert [state for state in State if not state.finished] == [State.QUEUED, State.RUNNING]


def test_the_last_lines_are_those_of_stderr_where_there_are_any() -> None:
    record = Record(host="h", jid="j", state=State.FAILED, stdout=b"out", stderr=b"1\n2\n3\n4\n5\n6\n")
    assert record.last_lines == "2\n3\n4\n5\n6"
