"""The deployments of prefect.yaml: which of them the server has otherwise, or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from deployments.change import Change, differences
from remotejobs.errors import RemoteJobsError

PROJECT = Path(__file__).resolve().parent.parent


def deployment_changes(client: SyncPrefectClient) -> Iterator[Change]:
    """One change for all. `prefect deploy` writes a deployment anew each time, so it is asked for those that differ.

    It takes seconds to start, so it is asked once.
    """
    names: list[str] = []
    lines: list[str] = []
    for entry in yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]:
        flow: Flow[..., Any] = load_flow_from_entrypoint(entry["entrypoint"])
        name = f"{flow.name}/{entry['name']}"
        try:
            there = client.read_deployment_by_name(name)
            what = [f"~ {name}: {line}" for line in differences(_as_it_is(there), _as_it_shall_be(entry, flow))]
        except ObjectNotFound:
            what = [f"+ {name}"]
        lines += what
        names += [name] if what else []
    if names:
        yield Change("deployments", "of prefect.yaml", partial(_deploy, names), tuple(lines))


def _as_it_shall_be(entry: dict[str, Any], flow: Flow[..., Any]) -> dict[str, Any]:
    alone = entry.get("concurrency_limit") or {}
    pool = entry["work_pool"]
    return {
        "entrypoint": entry["entrypoint"],
        "description": entry["description"],
        "parameters": entry.get("parameters", {}),
        "tags": entry.get("tags", []),
        "schedules": [
            (each["cron"], each["timezone"], True, each.get("parameters", {})) for each in entry.get("schedules", [])
        ],
        "work_pool": pool["name"],
        "job_variables": pool.get("job_variables", {}),
        "concurrency": (alone.get("limit"), alone.get("collision_strategy")),
        "form": parameter_schema(flow).model_dump(),
        "directory": str(PROJECT),
    }


def _as_it_is(there: DeploymentResponse) -> dict[str, Any]:
    limit, options = there.global_concurrency_limit, there.concurrency_options
    return {
        "entrypoint": there.entrypoint,
        "description": there.description,
        "parameters": there.parameters,
        "tags": there.tags,
        "schedules": [
            (getattr(each.schedule, "cron", ""), getattr(each.schedule, "timezone", ""), each.active, each.parameters)
            for each in there.schedules
        ],
        "work_pool": there.work_pool_name,
        "job_variables": there.job_variables,
        "concurrency": (limit.limit if limit else None, options.collision_strategy if options else None),
        # What is empty, as of a flow without parameters, the server does not keep.
        "form": {"definitions": {}, "properties": {}, "required": [], **(there.parameter_openapi_schema or {})},
        "directory": _directory(there.pull_steps or []),
    }


def _directory(steps: list[dict[str, Any]]) -> str:
    """Where a worker finds the flows; `prefect deploy` writes its own directory there when nothing else is said."""
    words = [str(settings.get("directory", "")) for step in steps for settings in step.values()]
    return words[0] if words else ""


def _deploy(names: Sequence[str]) -> None:
    wanted = [word for name in names for word in ("--name", name)]
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", *wanted]
    done = subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()
        raise RemoteJobsError(f"{' '.join(command[2:])} ended with {done.returncode}:\n{said}", remedy="")
