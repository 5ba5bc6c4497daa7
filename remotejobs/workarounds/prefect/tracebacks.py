"""Errors of ours, whose words are for people, without Python's traceback in the log of a run.

Seen with Prefect 3.9.1. What a task raises is logged with its traceback; what a flow raises twice, the second time as
`Engine execution exited with unexpected exception`, also where the flow returned a state that is no success. The last
of it, where the UI begins, is of Prefect's own files. Where a run is cancelled, each of its task runs is said to have
crashed, which a log of many hosts consists of then.

Upstream: no report of it was found. The public way would be an exception that says of itself that its words are enough.
"""

from __future__ import annotations

import logging
from weakref import WeakSet

from prefect.exceptions import CancelledRun, FailedRun, ParameterTypeError

from remotejobs.errors import RemoteJobsError

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
# Prefect's own are how it raises a state that was returned, and parameters that the flow refuses.
_ONLY_WORDS = (RemoteJobsError, FailedRun, CancelledRun, ParameterTypeError)
_CANCELLED = "Task run cancelled by the task runner"
_logged: WeakSet[BaseException] = WeakSet()


def without_tracebacks() -> None:
    """From now on runs in this process log such errors by their words alone, and each once."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_in_words)  # added twice it is there once


def leave_out_traceback(error: RemoteJobsError) -> None:
    """`error` is logged already: what Prefect logs of it when it is raised is left out."""
    _logged.add(error)


def _in_words(record: logging.LogRecord) -> bool:
    if _CANCELLED in str(record.msg):
        return False
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, _ONLY_WORDS):
        return True
    if error in _logged:
        return False
    record.exc_info = record.exc_text = None
    record.msg, record.args = "%s", (str(error),)
    return True
