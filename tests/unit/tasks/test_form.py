"""The run form of a flow: what most people fill comes first, groups are closed, nothing internal is asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from remotejobs.prefect import Access, JobOptions, RunOptions, remote_flow
from remotejobs.prefect.flows.backup import backup
from remotejobs.prefect.flows.migration import migration
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.runs.options import options_given

GIVEN: dict[str, Any] = {"access": {"inventory": "a,"}, "hosts": "a", "command": "true"}


def properties_of(flow: Flow[..., Any]) -> dict[str, Any]:
    """As `prefect deploy` makes them."""
    return parameter_schema(flow).properties


def test_what_a_person_has_to_say_comes_first_then_how_hosts_are_reached_then_what_may_be_left_out() -> None:
    assert list(properties_of(run_command)) == ["hosts", "command", "access", "label", "job", "until", "run", "notify"]
    assert list(properties_of(migration))[:3] == ["hosts", "commands", "access"]


@pytest.mark.parametrize("name", ["job", "until", "run", "notify"])
def test_a_group_that_has_a_default_is_closed_and_can_be_opened(name: str) -> None:
    shown = properties_of(run_command)[name]
    assert (shown["default"], shown["anyOf"][1]) == (None, {"type": "null"})
    assert re.fullmatch(r"#/definitions/\w+", shown["anyOf"][0]["$ref"])
    assert shown["description"]


def test_a_group_that_was_left_closed_has_its_default() -> None:
    validated = run_command.validate_parameters({**GIVEN, "job": None, "run": None, "notify": None})
    assert (validated["job"], validated["run"], validated["notify"]) == (JobOptions(), RunOptions(), NOBODY)
    assert options_given(run_command, {"run": None}) == RunOptions()


def test_one_that_was_opened_has_what_was_filled_in() -> None:
    given = {**GIVEN, "notify": {"webhook": "http://here"}}
    assert run_command.validate_parameters(given)["notify"] == Notify(webhook="http://here")


def test_the_form_has_nothing_that_only_remotejobs_fills_in_which_the_server_takes_all_the_same() -> None:
    options = parameter_schema(run_command).definitions["RunOptions"]
    assert list(options["properties"]) == ["group", "on_cancel", "dry_run", "shards"]
    assert "additionalProperties" not in options
    shard = {"of": "x", "number": 1, "total": 2, "hosts": ["a"]}
    assert run_command.validate_parameters({**GIVEN, "run": {"shard": shard}})["run"].shard.of == "x"


@remote_flow("of-a-user")
def of_a_user(access: Access, names: list[str] | None = None, *, job: JobOptions = JobOptions()) -> None:
    """A parameter that may be None is no group."""


def test_a_flow_of_a_user_has_such_a_form_too_and_none_means_none_where_it_may_be() -> None:
    assert of_a_user.validate_parameters({"access": Access(inventory="a,"), "names": None, "job": None}) == {
        "access": Access(inventory="a,"),
        "names": None,
        "job": JobOptions(),
    }


def test_a_deployment_finds_the_flow_where_it_is_written() -> None:
    found: Flow[..., Any] = load_flow_from_entrypoint("flows/run_command.py:run_command")
    assert found.name == "run-command"


def test_of_a_model_with_many_fields_the_form_shows_the_often_used_at_first_and_all_in_another_tab() -> None:
    few, every = parameter_schema(run_command).definitions["Access"]["anyOf"]
    assert (few["title"], list(few["properties"])) == ("Often used", ["inventory"])
    assert (every["title"], list(every["properties"])) == ("All settings (starts empty)", list(Access.model_fields))
    assert few["required"] == every["required"] == ["inventory"], "so nothing is started from an empty tab"
    assert (few["additionalProperties"], every["additionalProperties"]) == (False, False)


def test_each_kind_of_item_in_a_backup_plan_has_its_required_fields_among_the_often_used() -> None:
    items = {
        name: each["anyOf"]
        for name, each in parameter_schema(backup).definitions.items()
        if name.endswith("Item") and "anyOf" in each
    }
    assert sorted(items) == ["CommandItem", "FilesItem", "MariadbItem", "PostgresItem", "ServerItem"]
    for few, every in items.values():
        assert every["required"] == few["required"]
        assert len(few["properties"]) == 4 < len(every["properties"])
