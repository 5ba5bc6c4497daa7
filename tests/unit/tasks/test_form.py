"""The run form of a flow: what most people fill comes first, groups are closed, nothing internal is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate
from pydantic import ValidationError

from lab.servers.prefect.server import PROJECT
from remotejobs.prefect import Access, JobOptions, RunOptions, remote_flow
from remotejobs.prefect.flows.backup import backup
from remotejobs.prefect.flows.migration import migration
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.runs.options import options_given

DECLARED = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
ENTRYPOINTS = sorted({entry["entrypoint"] for entry in DECLARED if "ops" in entry["tags"]})
# What a number counts: as a unit, or as "so many" of a thing.
UNITS = re.compile(
    r"second|minute|hour|day|week|month|\b[KM]iB|byte|%|[Hh]osts|[Tt]ables|port\b|HTTP status|as Ansible's serial|"
    r"how (many|often)|so many|which of the|from 0.* to 19",
    re.IGNORECASE,
)
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
    assert shown["anyOf"][0]["properties"]
    assert re.fullmatch(r"#/definitions/\w+", shown["then"]["$ref"])
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


def fields_of(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a form, and of the groups, items and tabs in it."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}{name}", field
        yield from fields_of(field.get("items", {}), f"{path}{name}.")
    for each in schema.get("anyOf", ()):
        yield from fields_of(each, path)
    for name, each in schema.get("definitions", {}).items():
        yield from fields_of(each, f"{name}.")


def is_number(field: dict[str, Any]) -> bool:
    return any(each.get("type") in {"integer", "number"} for each in (field, *field.get("anyOf", ())))


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_each_number_in_a_form_says_in_its_description_what_it_counts(entrypoint: str) -> None:
    flow: Flow[..., Any] = load_flow_from_entrypoint(str(PROJECT / entrypoint))
    numbers = {path: field for path, field in fields_of(parameter_schema(flow).model_dump()) if is_number(field)}
    assert {path for path, field in numbers.items() if not UNITS.search(field.get("description", ""))} == set()


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_each_pattern_in_a_form_begins_with_words_for_what_it_wants(entrypoint: str) -> None:
    flow: Flow[..., Any] = load_flow_from_entrypoint(str(PROJECT / entrypoint))
    wanted = [field["pattern"] for _, field in fields_of(parameter_schema(flow).model_dump()) if "pattern" in field]
    assert [pattern for pattern in wanted if not pattern.startswith("(?#")] == []


def test_no_two_fields_of_a_migration_that_a_person_fills_in_are_called_the_same() -> None:
    definitions = parameter_schema(migration).definitions
    called = [
        str(field.get("title", name)).lower()
        for model in ("Commands", "Timeouts")
        for name, field in definitions[model]["properties"].items()
    ]
    assert len(set(called)) == len(called)


def test_a_text_that_is_not_as_wanted_is_refused_in_words_by_the_form_and_by_the_flow() -> None:
    wrong = {**GIVEN, "job": {"chdir": "srv/app"}}
    (error,) = validate(wrong, parameter_schema(run_command).model_dump())
    assert list(error.absolute_path) == ["job", "chdir"]
    assert error.message.startswith("'srv/app' does not match '(?#an absolute path)")
    with pytest.raises(ValidationError, match="'srv/app' is not an absolute path"):
        JobOptions(chdir="srv/app")


@pytest.mark.parametrize("path", ["", "/", "/srv/app", "/srv/with a space"])
def test_what_is_as_wanted_is_taken_by_both(path: str) -> None:
    assert validate({**GIVEN, "job": {"chdir": path}}, parameter_schema(run_command).model_dump()) == []
    assert JobOptions(chdir=path).chdir == path
