"""An error keeps what it says wherever it travels, and its remedy is its docstring."""

from __future__ import annotations

import pickle

import pytest

from remotejobs.errors import AuthenticationFailed, ConnectionLost, JobExists, RemoteJobsError, StartFailed


@pytest.mark.parametrize("kind", [AuthenticationFailed, JobExists, StartFailed])
def test_an_error_survives_pickling(kind: type[AuthenticationFailed]) -> None:
    error = kind("db1", "no way", remedy="Pray.")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.host, again.remedy) == (kind, "db1: no way. Pray.", "db1", "Pray.")


def test_the_docstring_is_the_remedy_where_none_is_given() -> None:
    assert str(RemoteJobsError("x", remedy="")) == "x"
    assert str(ConnectionLost("h", "cut")).startswith("h: cut. The connection ended in the middle of an answer;")


def test_only_what_may_pass_is_worth_asking_again() -> None:
    assert ConnectionLost("h", "cut").transient
    assert not AuthenticationFailed("h", "no").transient
