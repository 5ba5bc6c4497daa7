"""What the run form of a flow takes, and how it is found again in what a server keeps of its runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from prefect import Flow, flow
from pydantic import Field, ValidationError

from remotejobs.prefect import Access, HostPattern, JobOptions, RunOptions, remote_flow
from remotejobs.prefect.tasks.form import describe_parameters
from remotejobs.prefect.tasks.runs.options import name_of_options, options_given


@flow
def called_otherwise(how: RunOptions = RunOptions()) -> None:
    """A flow whose parameter has a name of its own."""


@flow
def without_default(how: RunOptions) -> None:
    """It has to be given."""


@flow
def without(run: str = "", label: str = "") -> None:
    """It has none, but parameters with names that others have."""


@pytest.mark.parametrize(("flow", "name"), [(called_otherwise, "how"), (without_default, "how"), (without, "")])
def test_the_options_of_a_run_are_found_by_their_type(flow: Flow[..., Any], name: str) -> None:
    assert name_of_options(flow) == name
    given = {"how": {"on_cancel": "leave"}, "run": "x", "label": "y"}
    assert options_given(flow, given).on_cancel == ("leave" if name else "kill")


def test_a_job_has_what_was_said_of_it_and_zero_is_no_limit() -> None:
    options = JobOptions(timeout=60, chdir="/opt", env={"A": "b"}, locks=("apt",), slots=2, pool="dumps")
    job = options.job("make", label="build")
    assert (job.cmd, job.label, job.timeout, job.idle_timeout, job.queue_timeout) == ("make", "build", 60, None, None)
    assert (job.chdir, job.env, job.locks, job.slots, job.pool) == ("/opt", {"A": "b"}, ("apt",), 2, "dumps")


@pytest.mark.parametrize("wrong", [{"timeout": -1}, {"chdir": "sub"}, {"launcher": "cron"}, {"seconds": 3}])
def test_what_makes_no_sense_is_refused_by_name(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValidationError, match=name):
        JobOptions(**wrong)


def test_the_form_describes_parameters_by_their_types_and_the_docstring_wins() -> None:
    @remote_flow("described")
    def described(access: Access, hosts: HostPattern, wait: Annotated[int, Field(description="Seconds.")] = 0) -> None:
        """Do it.

        Args:
            hosts: Only databases.
        """

    fields = described.parameters.properties
    assert fields["hosts"]["description"] == "Only databases."
    assert fields["wait"]["description"] == "Seconds."
    assert str(described.description).startswith("Do it.\n\nArgs:\n    access: Where the hosts are written down")
    assert str(described.description).count("hosts: ") == 1


@pytest.mark.parametrize("text", [None, "Do it."])
def test_a_function_without_args_gets_them(text: str | None) -> None:
    def function(hosts: HostPattern) -> None: ...

    function.__doc__ = text
    describe: Callable[..., None] = describe_parameters
    describe(function)
    assert f"{function.__doc__}".removeprefix("Do it.\n\n").startswith("Args:\n    hosts: Hosts, as a pattern")
