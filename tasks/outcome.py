"""How a run that fails by an error of ours ends: by one line of its log and the message of its state, by no traceback.

The UI shows a message without its line breaks, so each line of it begins with a mark: `•`, or `|` for a job's output.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction, signature
from typing import Any, cast

from prefect import get_run_logger
from prefect.client.schemas.objects import State as RunState
from prefect.states import Failed

from remotejobs.errors import RemoteJobsError
from remotejobs.prefect.tasks.why import attach_why
from remotejobs.text import visible
from remotejobs.workarounds.prefect.tracebacks import leave_out_traceback, without_tracebacks


def failing_in_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a flow, which returns the state Failed where it would raise an error of ours.

    What calls the flow gets the error raised by Prefect as before: the state holds it.
    """
    if isgeneratorfunction(function) or isasyncgenfunction(function):
        return function
    without_tracebacks()

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except RemoteJobsError as exc:
            return failed_by(exc)

    @wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except RemoteJobsError as exc:
            return failed_by(exc)

    wrapper: Any = awaited if iscoroutinefunction(function) else called
    # Prefect looks for what an annotation names among the globals of the wrapper.
    wrapper.__signature__ = signature(function, eval_str=True)
    return cast("Callable[..., Any]", wrapper)


def failed_by(error: RemoteJobsError) -> RunState[Any]:
    """Log the error, attach its words as an artifact, and return the state that holds it."""
    get_run_logger().error("%s", error)
    leave_out_traceback(error)
    words = visible(str(error))
    attach_why(words)
    return Failed(message=marked(words), data=error)


def marked(text: str) -> str:
    """`text` with a mark at the beginning of every line but the first, so that it can be read as one paragraph."""
    first, *others = text.split("\n")
    return "\n".join([first, *(_marked(line) for line in others if line.strip())])


def _marked(line: str) -> str:
    words = line.lstrip()
    return f"{line[: len(line) - len(words)]}{'•' if words == line else '|'} {words}"
