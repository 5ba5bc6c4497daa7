"""Old names are accepted for one release, and warn: options, parameters, fields, arguments, and what is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from pydantic import BaseModel, ValidationError

from remotejobs.cli.main import parse
from remotejobs.model import Job
from remotejobs.operations.backup import BackupPlan, CommandItem
from remotejobs.operations.balancers import CommandBalancer
from remotejobs.operations.rolling import Update
from remotejobs.operations.upgrade.plan import Upgrade
from remotejobs.prefect import JobOptions, RunOptions
from remotejobs.prefect.deployments.declared import Automation
from remotejobs.prefect.flows.download import download
from remotejobs.prefect.flows.examples.with_rollback import with_rollback
from remotejobs.prefect.flows.migration import migration
from remotejobs.prefect.flows.restart_services import restart_services
from remotejobs.prefect.flows.service import service
from remotejobs.prefect.tasks.runs.flow_runs import parameters_of
from remotejobs.prefect.tasks.shards.runs import shard_of
from remotejobs.prefect.tasks.timings import OLD_TIMINGS, timings

UPDATE = {"version": "2.0", "deploy": "true", "health": {"url": "http://{host}/"}, "revert": "nothing"}
ITEM = {"name": "a", "hosts": "all", "command": "true"}


@pytest.mark.parametrize(
    ("model", "given", "old", "new"),
    [
        (JobOptions, {}, "limit", "timeout"),
        (JobOptions, {}, "stall", "idle_timeout"),
        (JobOptions, {}, "queue_limit", "queue_timeout"),
        (Update, UPDATE, "limit", "timeout"),
        (Update, UPDATE, "patience", "contact_timeout"),
        (CommandBalancer, {}, "limit", "timeout"),
        (CommandItem, ITEM, "limit", "timeout"),
        (Upgrade, {}, "prepare_limit", "prepare_timeout"),
        (Upgrade, {}, "patience", "install_timeout"),
    ],
)
def test_a_field_is_taken_by_its_old_name(model: type[BaseModel], given: dict[str, Any], old: str, new: str) -> None:
    with pytest.warns(FutureWarning, match=f"{model.__name__}: {old} is now called {new}"):
        made = model.model_validate({**given, old: 7})
    assert getattr(made, new) == 7
    assert f"'{old}':" not in str(model.model_json_schema())
    with pytest.raises(ValidationError, match="nonsense"):
        model.model_validate({**given, "nonsense": 7})


def test_a_field_in_an_item_of_a_plan_is_too() -> None:
    with pytest.warns(FutureWarning, match="limit is now called timeout"):
        plan = BackupPlan.model_validate({"directory": "/backup", "commands": [{**ITEM, "limit": 7}]})
    assert [item.timeout for item in plan.items] == [7]


def test_the_same_by_both_names_is_refused() -> None:
    with pytest.raises(ValidationError, match="limit is the old name of timeout; give one of them"):
        JobOptions.model_validate({"limit": 1, "timeout": 2})


def test_a_shard_that_the_release_before_began_is_known() -> None:
    shard = {"of": "run", "number": 2, "total": 3, "hosts": ["db1"]}
    with pytest.warns(FutureWarning, match="part is now called shard"):
        assert RunOptions.model_validate({"part": shard}).shard.number == 2
    assert shard_of(FlowRun(flow_id=uuid4(), parameters={"run": {"part": shard}})).number == 2


@pytest.mark.parametrize(
    ("flow", "old", "new", "value"),
    [
        (download, "limit", "timeout", 7),
        (restart_services, "limit", "timeout", 7),
        (with_rollback, "limit", "timeout", 7),
        (migration, "limits", "timeouts", {"migrate": 7}),
        (migration, "room", "free_space", {"min_free_mib": 7}),
        (migration, "contact_deadline", "contact_timeout", 7.0),
        (service, "patience", "verify", {"retries": 7}),
    ],
)
def test_a_parameter_of_a_flow_is_taken_by_its_old_name(flow: Any, old: str, new: str, value: object) -> None:
    others: dict[str, Any] = {
        "access": {"inventory": "hosts.yml"},
        "hosts": "all",
        "url": "http://x/y",
        "dest": "/tmp/y",
        "units": ["nginx"],
        "commands": {"migrate": "true"},
        "service": {"name": "app", "command": "true"},
        "command": "true",
        "prepare": "true",
        "rollback": "true",
    }
    given = {name: others[name] for name in flow.parameters.required}
    with pytest.warns(FutureWarning, match=f"{old} is now called {new}"):
        validated = flow.validate_parameters({**given, old: value})
    assert validated == flow.validate_parameters({**given, new: value})
    with pytest.warns(FutureWarning, match=f"{old} is now called {new}"):
        kept = parameters_of(flow, FlowRun(flow_id=uuid4(), parameters={old: value}))
    assert kept[new] == value
    assert old not in kept


@pytest.mark.parametrize(("old", "new"), [("--stall", "--idle-timeout"), ("--queue-limit", "--queue-timeout")])
def test_an_option_is_taken_by_its_old_name(old: str, new: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "all", "--lock", "apt"]
    wanted = parse([*words, new, "1m", "--", "true"])
    assert not capsys.readouterr().err
    found = parse([*words, old, "1m", "--", "true"])
    assert capsys.readouterr().err == f"warning: {old} is now called {new}; the old name goes with the next release\n"
    assert (found.idle_timeout, found.queue_timeout) == (wanted.idle_timeout, wanted.queue_timeout)
    with pytest.raises(SystemExit):
        parse(["run", "--help"])
    assert old not in capsys.readouterr().out


def test_an_argument_is_taken_by_its_old_name() -> None:
    make = cast("Callable[..., Job]", Job)
    with pytest.warns(FutureWarning, match="Job: limit is now called timeout"):
        job = make(jid="j", cmd="true", limit=7)
    assert job == Job(jid="j", cmd="true", timeout=7)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("remotejobs", "BadUse", "UsageError"),
        ("remotejobs", "Outcome", "HostResult"),
        ("remotejobs", "Started", "StartResult"),
        ("remotejobs.errors", "BadUse", "UsageError"),
        ("remotejobs.errors", "NoSuchJob", "JobNotFound"),
        ("remotejobs.errors", "ProtocolDamaged", "ProtocolError"),
        ("remotejobs.prefect", "End", "JobResult"),
        ("remotejobs.prefect", "Step", "JobStep"),
        ("remotejobs.prefect.tasks.notify", "tell", "send_notification"),
        ("remotejobs.testing", "Started", "StartedJob"),
    ],
)
def test_what_is_imported_is_found_by_its_old_name(module: str, old: str, new: str) -> None:
    home = import_module(module)
    with pytest.warns(FutureWarning, match=f"{module}.{old} is now called {new}"):
        assert getattr(home, old) is getattr(home, new)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = home.nonsense


@pytest.mark.parametrize(("old", "new"), OLD_TIMINGS.items())
def test_an_automation_may_name_a_waiting_time_by_its_old_name(old: str, new: str) -> None:
    with pytest.warns(FutureWarning, match=f"{old}.* is now called {new}"):
        automation = Automation(name="a", trigger={"within": f"${{timings.{old}}}"}, actions=[])
    assert automation.trigger["within"] == getattr(timings(), new)


@pytest.mark.parametrize(
    ("old", "flow", "name"),
    [
        ("rescue", "rescue", "rescue"),
        ("rescue_neglected", "rescue_neglected", "rescue-neglected"),
        ("refuse_unanswered", "refuse_unanswered", "refuse-unanswered"),
        ("recover_stuck_runs", "recover_stuck_runs", "recover-stuck-runs"),
        ("rolling_repair", "rolling_repair", "rolling-repair"),
        ("push_file", "push_file", "push-file"),
        ("pull_file", "pull_file", "pull-file"),
    ],
)
def test_a_project_may_still_deploy_a_flow_by_its_old_name(old: str, flow: str, name: str) -> None:
    module = f"remotejobs.prefect.flows.{old}"
    sys.modules.pop(module, None)
    with pytest.warns(FutureWarning, match=f"{module} is now called"):
        assert getattr(import_module(module), flow).name == name
