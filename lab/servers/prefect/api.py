"""What the lab asks of a Prefect server, over its REST API: importing Prefect for it would cost seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

import httpx
from pydantic import BaseModel, Field, TypeAdapter

from lab.process import LabError

BUSY_TRIES = 30
_PAGE = 200  # the most that the server gives at a time
FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


class RunState(BaseModel):
    type: str
    name: str
    message: str | None = None


class RunStatus(BaseModel):
    """A flow run or a task run; `run_count` is the number of attempts; a schedule made it if `auto_scheduled`."""

    id: UUID
    name: str
    run_count: int = 0
    auto_scheduled: bool = False
    parameters: dict[str, Any] = {}
    state: RunState | None = None

    @property
    def final(self) -> bool:
        return self.state is not None and self.state.type in FINAL


class Deployment(BaseModel):
    """`parameters` are what a run gets that names none itself."""

    id: UUID
    name: str
    parameters: dict[str, Any] = {}


class Artifact(BaseModel):
    """`data` is the artifact's content as Prefect stored it: for a table, a list of rows in JSON."""

    id: UUID
    created: datetime
    key: str | None = None
    type: str | None = None
    data: Any = None
    description: str | None = None


class _PastState(BaseModel):
    name: str
    timestamp: datetime


class _Details(BaseModel):
    run_input_keyset: dict[str, str]


class _WaitingState(BaseModel):
    state_details: _Details


class _Waiting(BaseModel):
    state: _WaitingState


class _Line(BaseModel):
    message: str


class _Worker(BaseModel):
    name: str
    status: str = Field(default="OFFLINE")


class PrefectApi:
    """`with PrefectApi(url) as api:`; every method raises `LabError` with the server's words when it says no."""

    def __init__(self, url: str) -> None:
        # Proxies are for the way out; the lab is on loopback.
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=False, verify=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def worker_is_online(self, pool: str, name: str) -> bool:
        response = self._client.post(f"/work_pools/{pool}/workers/filter", json={})
        return response.is_success and any(
            (worker.name, worker.status) == (name, "ONLINE")
            for worker in TypeAdapter(list[_Worker]).validate_json(response.content)
        )

    def make_pool(self, name: str) -> None:
        """Make a pool of process workers, unless there is one of that name."""
        if self._client.get(f"/work_pools/{name}").status_code == httpx.codes.NOT_FOUND:
            self.ask("POST", "/work_pools/", {"name": name, "type": "process"})

    def deployments(self) -> list[Deployment]:
        return TypeAdapter(list[Deployment]).validate_json(self.ask("POST", "/deployments/filter", {}))

    def deploy(self, name: str, directory: Path, entrypoint: str, *, pool: str, tags: Sequence[str]) -> Deployment:
        """Make the server know a flow that stands in `directory`; `entrypoint` is its file there and its function."""
        flow = json.loads(self.ask("POST", "/flows/", {"name": name}))
        there = {"prefect.deployments.steps.set_working_directory": {"directory": str(directory)}}
        body = {"name": name, "flow_id": flow["id"], "entrypoint": entrypoint, "pull_steps": [there]}
        wanted = {"work_pool_name": pool, "tags": list(tags), "enforce_parameter_schema": False}
        return Deployment.model_validate_json(self.ask("POST", "/deployments/", {**body, **wanted}))

    def set_parameters(self, deployment: Deployment, parameters: dict[str, object]) -> None:
        """Make `parameters` the defaults of `deployment`: what its schedule and the UI's run form start from."""
        self.ask("PATCH", f"/deployments/{deployment.id}", {"parameters": parameters})

    def run(
        self,
        deployment: Deployment,
        parameters: dict[str, object] | None = None,
        *,
        state: str = "SCHEDULED",
        after: float = 0,
    ) -> RunStatus:
        """Make a run of `deployment`, due in so many seconds, with its own parameters but for these.

        Workers take what is SCHEDULED; a run that is made in another state is let alone.
        """
        due = datetime.now(UTC) + timedelta(seconds=after)
        wanted = {"type": state, "state_details": {"scheduled_time": due.isoformat()}}
        body = {"state": wanted, "parameters": parameters or {}, "idempotency_key": str(uuid4())}
        return RunStatus.model_validate_json(self.ask("POST", f"/deployments/{deployment.id}/create_flow_run", body))

    def runs_of(self, deployment: Deployment) -> list[RunStatus]:
        """All flow runs of a deployment, those to come included."""
        wanted = {"deployments": {"id": {"any_": [str(deployment.id)]}}}
        return TypeAdapter(list[RunStatus]).validate_json(self.ask("POST", "/flow_runs/filter", wanted))

    def flow_run(self, run: RunStatus) -> RunStatus:
        return RunStatus.model_validate_json(self.ask("GET", f"/flow_runs/{run.id}"))

    def cancel(self, run: RunStatus) -> None:
        wanted = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        self.ask("POST", f"/flow_runs/{run.id}/set_state", wanted)

    def set_cancelled(self, run: RunStatus) -> None:
        """Say that a run was cancelled, without asking a process to end it."""
        self.ask("POST", f"/flow_runs/{run.id}/set_state", {"state": {"type": "CANCELLED", "name": "Cancelled"}})

    def take(self, run: RunStatus) -> None:
        """Say that a worker has it, as one does before it begins a run: a place of the deployment's is the run's."""
        self.ask("POST", f"/flow_runs/{run.id}/set_state", {"state": {"type": "PENDING", "name": "Pending"}})

    def crash(self, run: RunStatus) -> None:
        """Say that the process of a run died, as its worker would."""
        self.ask("POST", f"/flow_runs/{run.id}/set_state", {"state": {"type": "CRASHED", "name": "Crashed"}})

    def retry(self, run: RunStatus) -> None:
        """Let a run that has ended be run again, under its own id."""
        wanted = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}}
        self.ask("POST", f"/flow_runs/{run.id}/set_state", wanted)

    def states(self, run: RunStatus) -> list[str]:
        """The names of all states that a flow run has been in, the first one first."""
        answer = self.ask("GET", f"/flow_run_states/?flow_run_id={run.id}")
        states = TypeAdapter(list[_PastState]).validate_json(answer)
        return [state.name for state in sorted(states, key=lambda state: state.timestamp)]

    def question(self, run: RunStatus) -> str:
        """What a run that waits for a person asks, in markdown."""
        waiting = _Waiting.model_validate_json(self.ask("GET", f"/flow_runs/{run.id}"))
        key = waiting.state.state_details.run_input_keyset["description"]
        return TypeAdapter(str).validate_json(self.ask("GET", f"/flow_runs/{run.id}/input/{key}"))

    def answer(self, run: RunStatus, *, approve: bool, reason: str) -> None:
        """Answer a run that waits for a person, as the form behind *Resume* does."""
        chosen = "approve: go ahead" if approve else "refuse: change nothing"
        wanted = {"run_input": {"answer": chosen, "reason": reason}}
        answer = self.ask("POST", f"/flow_runs/{run.id}/resume", wanted)
        if json.loads(answer)["status"] != "ACCEPT":
            raise LabError(f"the run {run.name} took no answer: {answer.decode()}")

    def task_runs(self, run: RunStatus) -> list[RunStatus]:
        """The task runs of a flow run, oldest first; their states lag a little behind the flow run's."""
        wanted = {"flow_runs": {"id": {"any_": [str(run.id)]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": _PAGE}
        found: list[RunStatus] = []
        while True:
            page = self.ask("POST", "/task_runs/filter", {**wanted, "offset": len(found)})
            found += (runs := TypeAdapter(list[RunStatus]).validate_json(page))
            if len(runs) < _PAGE:
                return found

    def log(self, run: RunStatus) -> list[str]:
        """What a flow run and its task runs logged, oldest first."""
        wanted = {"logs": {"flow_run_id": {"any_": [str(run.id)]}}, "sort": "TIMESTAMP_ASC"}
        return [
            line.message for line in TypeAdapter(list[_Line]).validate_json(self.ask("POST", "/logs/filter", wanted))
        ]

    def tables(self, run: RunStatus) -> list[Artifact]:
        """The table artifacts that a flow run made."""
        return self._artifacts(run, "table")

    def reports(self, run: RunStatus) -> list[Artifact]:
        """The markdown artifacts that a flow run made."""
        return self._artifacts(run, "markdown")

    def _artifacts(self, run: RunStatus, kind: str) -> list[Artifact]:
        wanted = {"artifacts": {"flow_run_id": {"any_": [str(run.id)]}, "type": {"any_": [kind]}}}
        return TypeAdapter(list[Artifact]).validate_json(self.ask("POST", "/artifacts/filter", wanted))

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """The body of the answer. A server whose SQLite is locked is asked again.

        So is one that is too busy to answer, or one of whose processes ended with the question, where to be asked twice
        changes nothing: questions, runs made with a key.
        """
        harmless = method == "GET" or path.endswith("/filter") or "idempotency_key" in (body or {})
        for tries_left in reversed(range(BUSY_TRIES)):
            try:
                response = self._client.request(method, path, json=body)
            except (httpx.TimeoutException, httpx.RemoteProtocolError, httpx.ReadError) as exc:
                if harmless and tries_left:
                    continue
                raise LabError(f"the Prefect server did not answer {method} {path}") from exc
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(float(response.headers.get("Retry-After", 1)))  # SQLite is locked; the server says for how long
        if response.is_error:
            raise LabError(f"the Prefect server answered {method} {path} with {response.status_code}: {response.text}")
        return response.content
