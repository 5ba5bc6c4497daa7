"""What a Prefect server says of flow runs, over its HTTP API: where Prefect is not installed, it can be asked too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from remotejobs.errors import RemoteJobsError
from remotejobs.operations.prefect_server import prefect_server
from remotejobs.text import one_line, visible

OVER = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})

_RUN_OF_JID = re.compile(r".*\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_PAGE = 200  # runs that the server gives at a time
_LATELY = timedelta(days=7)


class PrefectNotAsked(RemoteJobsError):
    """Check that PREFECT_API_URL is the address of the API, and that the server runs."""


@dataclass(frozen=True, slots=True)
class FlowRun:
    """A flow run as the server has it. `over` is whether it has ended; `since` is when its state began, in ISO 8601."""

    id: str
    name: str
    state: str
    over: bool
    since: str = ""
    message: str = ""
    deployment: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)


def run_of(jid: str) -> str:
    """The id of the flow run that a job belongs to, which its jid ends with; "" for any other job."""
    match = _RUN_OF_JID.fullmatch(jid)
    return match[1] if match else ""


class FlowRuns:
    """The runs of the server that Prefect's `settings` name. Every question raises `PrefectNotAsked`."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._server = prefect_server(settings)

    @property
    def known(self) -> bool:
        """Whether there is a server to ask."""
        return self._server.known

    def page_of(self, run: str) -> str:
        """The run's page in the UI; "" where no server is known."""
        return f"{self._server.ui}/runs/flow-run/{run}" if self.known and run else ""

    def form_of(self, run: FlowRun, hosts: Sequence[str]) -> str:
        """The form that starts the run's deployment again on `hosts`, filled in; "" where it has none for hosts."""
        if not run.deployment or "hosts" not in run.parameters:
            return ""
        given = quote(json.dumps({**run.parameters, "hosts": ",".join(hosts)}), safe="")
        return f"{self._server.ui}/deployments/deployment/{quote(run.deployment)}/run?parameters={given}"

    def of_ids(self, ids: Iterable[str]) -> dict[str, FlowRun]:
        """The runs with these ids, as far as the server has them."""
        wanted, found = sorted(set(ids)), dict[str, FlowRun]()
        for at in range(0, len(wanted), _PAGE):
            found |= {run.id: run for run in self._filter({"id": {"any_": wanted[at : at + _PAGE]}})}
        return found

    def waiting(self) -> list[FlowRun]:
        """The runs that wait for a person."""
        return self._filter({"state": {"type": {"any_": ["PAUSED"]}}})

    def named(self, states: Sequence[str]) -> list[FlowRun]:
        """The runs of the last seven days whose state has one of these names."""
        lately = (datetime.now(UTC) - _LATELY).isoformat()
        return self._filter({"state": {"name": {"any_": list(states)}}, "start_time": {"after_": lately}})

    def _filter(self, wanted: Mapping[str, object]) -> list[FlowRun]:
        asked = {"flow_runs": wanted, "limit": _PAGE, "sort": "EXPECTED_START_TIME_DESC"}
        said = self._ask("/flow_runs/filter", json.dumps(asked).encode())
        try:
            return [_flow_run(each) for each in json.loads(said)]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
            raise PrefectNotAsked(f"the answer of {self._server.api} is not understood") from exc

    def _ask(self, path: str, content: bytes) -> str:
        answer = self._server.ask(path, content)
        if answer.status != 200:
            raise PrefectNotAsked(f"{self._server.api} answered {answer.error or answer.status}")
        return answer.body


def _flow_run(said: Mapping[str, Any]) -> FlowRun:
    state = said.get("state") or {}
    return FlowRun(
        id=str(said["id"]),
        name=one_line(str(said["name"])),
        state=one_line(str(state.get("name") or "unknown")),
        over=state.get("type") in OVER,
        since=one_line(str(state.get("timestamp") or "")),
        message=visible(str(state.get("message") or "")),
        deployment=str(said.get("deployment_id") or ""),
        parameters=dict(said.get("parameters") or {}),
    )
