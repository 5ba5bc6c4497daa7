"""The deployments of prefect.yaml: which of them the server has otherwise, or not at all."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint

from remotejobs.errors import RemoteJobsError, UsageError
from remotejobs.prefect.deployments.change import Change, differences

PROJECT = Path.cwd()  # what entry points are relative to, here and for the workers
FILE = PROJECT / "prefect.yaml"
# As Prefect allows it in the name of a variable.
_PROJECT_NAME = re.compile(r"[a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class DeclaredDeployment:
    """A deployment as the file has it; `name` is FLOW/NAME."""

    name: str
    words: Mapping[str, Any]
    flow: Flow[..., Any]


@dataclass(frozen=True, slots=True)
class DeclaredFlows:
    """A prefect.yaml; `project` is its own name."""

    file: Path
    project: str
    entries: tuple[DeclaredDeployment, ...]


def read_flows(file: Path = FILE) -> DeclaredFlows:
    """Read the file and load the flows that it names. Raises `UsageError`."""
    content = yaml.safe_load(file.read_text())
    project = str(content.get("name", ""))
    if not _PROJECT_NAME.fullmatch(project):
        raise UsageError(f"{file}: name is {project!r}", remedy="Give it one of small letters, digits, _ and -.")
    entries = []
    for words in content["deployments"]:
        flow: Flow[..., Any] = load_flow_from_entrypoint(words["entrypoint"])
        entries.append(DeclaredDeployment(f"{flow.name}/{words['name']}", words, flow))
    return DeclaredFlows(file.resolve(), project, tuple(entries))


def deployment_changes(client: SyncPrefectClient, declared: DeclaredFlows) -> Iterator[Change]:
    """One change for all. `prefect deploy` writes a deployment anew each time, so it is asked for those that differ.

    It takes seconds to start, so it is asked once.
    """
    changed: list[DeclaredDeployment] = []
    lines: list[str] = []
    for entry in declared.entries:
        try:
            there = client.read_deployment_by_name(entry.name)
            what = [f"~ {entry.name}: {line}" for line in differences(_as_it_is(there), _as_it_shall_be(entry))]
        except ObjectNotFound:
            what = [f"+ {entry.name}"]
        lines += what
        changed += [entry] if what else []
    if changed:
        yield Change("deployments", "of prefect.yaml", partial(_deploy, client, declared.file, changed), tuple(lines))


def _as_it_shall_be(entry: DeclaredDeployment) -> dict[str, Any]:
    words = entry.words
    alone = words.get("concurrency_limit") or {}
    pool = words["work_pool"]
    return {
        "entrypoint": words["entrypoint"],
        # As Prefect does it.
        "description": words.get("description") or entry.flow.description,
        "parameters": words.get("parameters", {}),
        "tags": words.get("tags", []),
        "schedules": _wanted_schedules(entry),
        "work_pool": pool["name"],
        "job_variables": pool.get("job_variables", {}),
        "concurrency": (alone.get("limit"), alone.get("collision_strategy")),
        "form": entry.flow.parameters.model_dump(),
        "directory": str(PROJECT),
    }


def _as_it_is(there: DeploymentResponse) -> dict[str, Any]:
    limit, options = there.global_concurrency_limit, there.concurrency_options
    return {
        "entrypoint": there.entrypoint,
        "description": there.description,
        "parameters": there.parameters,
        "tags": there.tags,
        "schedules": [_schedule(each) for each in there.schedules],
        "work_pool": there.work_pool_name,
        "job_variables": there.job_variables,
        "concurrency": (limit.limit if limit else None, options.collision_strategy if options else None),
        # What is empty, as of a flow without parameters, the server does not keep.
        "form": {"definitions": {}, "properties": {}, "required": [], **(there.parameter_openapi_schema or {})},
        "directory": _directory(there.pull_steps or []),
    }


_Schedule = tuple[str, str, bool, dict[str, Any]]  # cron, time zone, whether it is active, parameters


def _wanted_schedules(entry: DeclaredDeployment) -> list[_Schedule]:
    # `schedules:` with nothing after it is none.
    schedules = entry.words.get("schedules") or []
    return [(each["cron"], each["timezone"], True, each.get("parameters", {})) for each in schedules]


def _schedule(there: DeploymentSchedule) -> _Schedule:
    cron, timezone = getattr(there.schedule, "cron", ""), getattr(there.schedule, "timezone", "")
    return cron, timezone, there.active, there.parameters


def _directory(steps: list[dict[str, Any]]) -> str:
    """Where a worker finds the flows; `prefect deploy` writes its own directory there when nothing else is said."""
    words = [str(settings.get("directory", "")) for step in steps for settings in step.values()]
    return words[0] if words else ""


def _deploy(client: SyncPrefectClient, file: Path, entries: Sequence[DeclaredDeployment]) -> None:
    wanted = [word for entry in entries for word in ("--name", entry.name)]
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--prefect-file", str(file), *wanted]
    done = subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()
        raise RemoteJobsError(f"{' '.join(command[2:])} ended with {done.returncode}:\n{said}", remedy="")
    for entry in entries:
        _remove_undeclared_schedules(client, entry)


def _remove_undeclared_schedules(client: SyncPrefectClient, entry: DeclaredDeployment) -> None:
    """`prefect deploy` keeps all of a deployment for which the file names none, though it says that it removed them."""
    there = client.read_deployment_by_name(entry.name)
    wanted = _wanted_schedules(entry)
    for schedule in there.schedules:
        if _schedule(schedule) not in wanted:
            client.delete_deployment_schedule(there.id, schedule.id)
