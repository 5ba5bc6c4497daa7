"""The end of a flow run that succeeded, and of which a person has to know something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from prefect.states import Completed

from remotejobs.prefect.tasks.jobs.results import JobResult, warnings_of

NAME = "Warning"  # of the run's state, which is Completed by its type


def or_warning(results: list[Any], ends: Sequence[JobResult]) -> list[Any]:
    """`results`; with warnings among `ends` the state `Warning` that holds them, for a flow to return.

    Prefect takes the state, and who called the flow gets the results.
    """
    if not (said := warnings_of(ends)):
        return results
    return cast("list[Any]", Completed(name=NAME, message=said, data=results))
