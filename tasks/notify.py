"""Telling somebody that a flow run failed. These are hooks of the flow: whatever happens in them, the outcome stands.

Prefect logs what a hook raises and goes on with the next one.
"""

from __future__ import annotations

from typing import Any

import httpx
from prefect import Flow
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.utilities.urls import url_for
from pydantic import BaseModel, ConfigDict, Field

from remotejobs.errors import BadUse

_TIMEOUT = 10  # seconds
_PARAMETER = "notify"


class Notify(BaseModel):
    """Whom to tell when the run failed; both empty: nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook: str = Field(
        default="",
        pattern=r"^(https?://.*)?$",
        description="URL that gets a POST with JSON: flow, run, state, message, url. Not for URLs that are secret.",
    )
    block: str = Field(
        default="", description="Notification block, as TYPE/NAME: slack-webhook/oncall. It keeps its URL secret."
    )


NOBODY = Notify()


class Message(BaseModel):
    """What is told, and the JSON that a webhook gets."""

    flow: str
    run: str
    state: str
    message: str
    url: str

    @property
    def subject(self) -> str:
        return f"{self.flow}: {self.state}"

    @property
    def text(self) -> str:
        return f"{self.message}\n{self.run} {self.url}".strip()


async def tell_webhook(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:
    """Hook for on_failure and on_crashed: posts to the webhook of the flow's parameter `notify`, if it has one."""
    whom = _whom(flow_run)
    if whom.webhook:
        message = _message(flow, flow_run, state)
        async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
            (await client.post(whom.webhook, json=message.model_dump())).raise_for_status()


async def tell_block(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:
    """Hook for on_failure and on_crashed: tells the notification block of the flow's parameter `notify`."""
    whom = _whom(flow_run)
    if whom.block:
        block: Block = await Block.aload(whom.block)
        if not isinstance(block, NotificationBlock):
            raise BadUse(f"the block {whom.block} cannot notify", remedy="Name one such as slack-webhook/x.")
        message = _message(flow, flow_run, state)
        await block.notify(message.text, subject=message.subject)


def _whom(flow_run: FlowRun) -> Notify:
    return Notify.model_validate(flow_run.parameters.get(_PARAMETER, {}))


def _message(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> Message:
    return Message(
        flow=flow.name,
        run=flow_run.name,
        state=state.name or state.type.value,
        message=state.message or "",
        url=url_for(flow_run) or "",
    )
