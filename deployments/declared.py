"""What deployments/resources.yml may say."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from uuid import UUID

import yaml
from prefect.events.schemas.automations import AutomationCore
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from remotejobs.errors import UsageError
from remotejobs.prefect.tasks.timings import OLD_TIMINGS, timings
from remotejobs.renamed import warn_renamed

FILE = Path("deployments", "resources.yml")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TIMING = re.compile(r"\$\{timings\.(\w+)\}")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkPool(_Strict):
    name: str
    type: str
    description: str = ""
    concurrency_limit: int | None = Field(default=None, ge=1)


class Limit(_Strict):
    """`limit` slots, shared by all runs."""

    name: str
    limit: int = Field(ge=1)


class BlockValues(_Strict):
    """A block document of a type that Prefect brings, such as `secret`."""

    type: str
    name: str
    values: dict[str, Any]

    @property
    def unset(self) -> list[str]:
        """The variables that the values name and the environment does not have."""
        named = _VARIABLE.findall(str(self.values))
        return [name for name in dict.fromkeys(named) if not os.environ.get(name)]

    @property
    def filled(self) -> dict[str, Any]:
        return {key: _filled(value) for key, value in self.values.items()}


class Automation(_Strict):
    """An automation. Its actions name deployments (FLOW/NAME) and blocks, its trigger may name a waiting time.

    `requires` names blocks without which it is of no use, though no action of it names them.
    """

    name: str
    description: str = ""
    requires: list[str] = []
    trigger: dict[str, Any]
    actions: list[dict[str, Any]]

    @field_validator("trigger")
    @classmethod
    def _timed(cls, trigger: dict[str, Any]) -> dict[str, Any]:
        """`within: ${timings.heartbeat_timeout}` becomes what `tasks.timings` says by now, in whole seconds."""
        within = trigger.get("within")
        if not isinstance(within, str) or not (named := _TIMING.fullmatch(within)):
            return trigger
        seconds = asdict(timings())
        if new := OLD_TIMINGS.get(named[1]):
            warn_renamed(f"${{timings.{named[1]}}}", new)
            return {**trigger, "within": math.ceil(seconds[new])}
        if named[1] not in seconds:
            raise ValueError(f"tasks/timings.py has no {named[1]!r}; it has {', '.join(seconds)}")
        return {**trigger, "within": math.ceil(seconds[named[1]])}

    def core(self, ids: dict[str, str]) -> AutomationCore:
        """As Prefect has it; `ids` are those of the deployments and blocks, by name.

        `UsageError` for what it refuses.
        """
        actions = [
            {_KEYS.get(key, key): ids[value] if key in _KEYS else value for key, value in action.items()}
            for action in self.actions
        ]
        whole = {"name": self.name, "description": self.description, "trigger": self.trigger, "actions": actions}
        with named(f"automation {self.name!r}"):
            return AutomationCore.model_validate(whole)

    def timed(self, within: int) -> Self:
        """The same, speaking up after so many seconds."""
        return self.model_copy(update={"trigger": {**self.trigger, "within": within}})

    @property
    def needs(self) -> list[str]:
        named = [value for action in self.actions for key, value in action.items() if key in _KEYS]
        return named + self.requires


_KEYS = {"deployment": "deployment_id", "block": "block_document_id"}


class Declared(_Strict):
    """The whole file."""

    work_pools: list[WorkPool] = []
    limits: list[Limit] = []
    blocks: list[BlockValues] = []
    automations: list[Automation] = []


def read(path: Path = FILE, *, within: Mapping[str, int] = MappingProxyType({})) -> Declared:
    """`UsageError` names the key that is wrong, before anything is changed.

    `within`: for automations by name, other seconds than the file says.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as exc:
        raise UsageError(f"{path} is no YAML: {exc}") from exc
    with named("the file"):
        declared = Declared.model_validate(content)
    for automation in declared.automations:
        automation.core(dict.fromkeys(automation.needs, str(UUID(int=0))))
    timed = [each.timed(within[each.name]) if each.name in within else each for each in declared.automations]
    return declared.model_copy(update={"automations": timed})


@contextmanager
def named(what: str) -> Iterator[None]:
    """Pydantic's refusal of `what` as `UsageError`, which shows keys and no values: they may be secret."""
    try:
        yield
    except ValidationError as exc:
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in exc.errors(include_input=False)
        )
        raise UsageError(f"{FILE.name}: {what}: {wrong}", remedy="Correct it there.") from None


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each) for key, each in value.items()}
    return _VARIABLE.sub(lambda found: os.environ[found[1]], value) if isinstance(value, str) else value
