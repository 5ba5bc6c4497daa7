"""What deployments/resources.yml may say."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml
from prefect.events.schemas.automations import AutomationCore
from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("resources.yml")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


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


class Named(_Strict):
    """An automation whose actions name deployments (FLOW/NAME) and blocks."""

    name: str
    description: str = ""
    trigger: dict[str, Any]
    actions: list[dict[str, Any]]

    def core(self, ids: dict[str, str]) -> AutomationCore:
        """As Prefect has it; `ids` are those of the deployments and blocks, by name."""
        actions = [
            {_KEYS.get(key, key): ids[value] if key in _KEYS else value for key, value in action.items()}
            for action in self.actions
        ]
        return AutomationCore.model_validate(
            {"name": self.name, "description": self.description, "trigger": self.trigger, "actions": actions}
        )

    @property
    def needs(self) -> list[str]:
        return [value for action in self.actions for key, value in action.items() if key in _KEYS]


_KEYS = {"deployment": "deployment_id", "block": "block_document_id"}


class Declared(_Strict):
    """The whole file."""

    work_pools: list[WorkPool] = []
    limits: list[Limit] = []
    blocks: list[BlockValues] = []
    automations: list[Named] = []


def read(path: Path = FILE) -> Declared:
    """Raises pydantic's ValidationError, which names the key."""
    return Declared.model_validate(yaml.safe_load(path.read_text()))


def _filled(value: Any) -> Any:
    return _VARIABLE.sub(lambda found: os.environ[found[1]], value) if isinstance(value, str) else value
