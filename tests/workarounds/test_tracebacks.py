"""What Prefect logs of an error: ours by its words, once; any other with the traceback that a programmer needs."""

from __future__ import annotations

import logging

import pytest

from remotejobs.errors import RemoteJobsError, UsageError
from remotejobs.workarounds.prefect.tracebacks import leave_out_traceback, without_tracebacks

LOGGER = logging.getLogger("prefect.flow_runs")


def log(error: Exception) -> None:
    """As Prefect's engine does it."""
    try:
        raise error
    except Exception:
        LOGGER.exception("Engine execution exited with unexpected exception")


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    without_tracebacks()
    monkeypatch.setattr(LOGGER, "handlers", [caplog.handler])
    monkeypatch.setattr(LOGGER, "propagate", False)
    return caplog


def test_an_error_of_ours_is_logged_by_its_words(logged: pytest.LogCaptureFixture) -> None:
    log(UsageError("no such host", remedy="Name one."))
    assert [record.getMessage() for record in logged.records] == ["no such host. Name one."]
    assert logged.records[0].exc_info is None


def test_one_that_was_logged_is_not_logged_again(logged: pytest.LogCaptureFixture) -> None:
    error = RemoteJobsError("it failed", remedy="")
    leave_out_traceback(error)
    log(error)
    assert logged.records == []


def test_a_fault_of_the_program_keeps_its_traceback(logged: pytest.LogCaptureFixture) -> None:
    log(ZeroDivisionError("division by zero"))
    (record,) = logged.records
    assert record.exc_info and record.exc_info[0] is ZeroDivisionError
