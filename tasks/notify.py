"""Notifications: by hooks that a flow run failed, and by `send_notification`, within a flow, anything else.

Whatever happens in them, the run's outcome stands: Prefect logs what a hook raises and goes on with the next one, and a
`send_notification` that fails is a failed task run, no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Annotated, Any

import httpx
from prefect import Flow, task
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.runtime import flow_run as this_run
from pydantic import BaseModel, ConfigDict, Field

from remotejobs.errors import RemoteJobsError, UsageError
from remotejobs.renamed import renamed_names
from remotejobs.worded import URL_OR_EMPTY
from remotejobs.workarounds.prefect.run_page import page_of

NOTHING_RAN_AGAIN = "Nothing ran again"  # how the message of a run begins that only reports its end once more
_TIMEOUT = 10  # seconds
_PARAMETER = "notify"
_RETRY_DELAYS = [1.0, 5.0]  # seconds


class Notify(BaseModel):
    """Whom to notify, when the run failed for example; both empty: nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook: Annotated[str, URL_OR_EMPTY] = Field(
        default="",
        description="URL that gets a POST with JSON: flow, run, state, message, url, key. Not for a secret URL.",
    )
    block: str = Field(
        default="", description="Notification block, as TYPE/NAME: slack-webhook/oncall. It keeps its URL secret."
    )


NOBODY = Notify()


class NotificationFailed(RemoteJobsError):
    """See whether the block's URL is right and answers; it is secret, so no more is said of it here."""


class Message(BaseModel):
    """What is sent, and the JSON that a webhook gets; `state` is what happened, in a word or two."""

    flow: str
    run: str
    state: str
    message: str
    url: str
    key: str = ""  # run and state: by it a receiver knows a notification that it has had already

    @property
    def subject(self) -> str:
        return f"{self.flow}: {self.state}"

    @property
    def text(self) -> str:
        return f"{self.message}\n{self.run} {self.url}".strip()


async def notify_webhook(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:
    """Hook for on_failure and on_crashed: posts to the webhook of the flow's parameter `notify`, if it has one."""
    if is_news(state):
        await _to_webhook(_whom(flow_run), _message(flow, flow_run, state))


async def notify_block(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:
    """Hook for on_failure and on_crashed: notifies by the block of the flow's parameter `notify`."""
    if is_news(state):
        await _to_block(_whom(flow_run), _message(flow, flow_run, state))


def is_news(state: RunState[Any]) -> bool:
    """Whether a run has not come to this end before: one that is retried after its end may only report it again."""
    return not (state.message or "").startswith(NOTHING_RAN_AGAIN)


def send_message(whom: Notify, message: Message) -> None:
    """Notify `whom`. Raises `NotificationFailed`, or httpx's errors, when the tries are over."""
    _send(whom, message)


def send_notification(whom: Notify, happened: str, text: str) -> None:
    """Notify `whom` from within a flow of what `happened`, in a word or two, and the rest in `text`."""
    names = {"flow": this_run.flow_name or "", "run": this_run.name or ""}
    url, key = (page_of(this_run.id), f"{this_run.id}:{happened}") if this_run.id else ("", "")
    message = Message(**names, state=happened, message=text, url=url, key=key)
    _send(whom, message, return_state=True)


@task(
    task_run_name="notify of: {message.state}",
    retries=len(_RETRY_DELAYS),
    retry_delay_seconds=_RETRY_DELAYS,
    cache_policy=NO_CACHE,
)
def _send(whom: Notify, message: Message) -> None:
    # In a thread of its own: the flow may have an event loop in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, asyncio.run, _to_both(whom, message)).result()


async def _to_both(whom: Notify, message: Message) -> None:
    await _to_webhook(whom, message)
    await _to_block(whom, message)


async def _to_webhook(whom: Notify, message: Message) -> None:
    if whom.webhook:
        async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
            (await client.post(whom.webhook, json=message.model_dump())).raise_for_status()


async def _to_block(whom: Notify, message: Message) -> None:
    if whom.block:
        block: Block = await Block.aload(whom.block)
        if not isinstance(block, NotificationBlock):
            raise UsageError(f"the block {whom.block} cannot notify", remedy="Name one such as slack-webhook/x.")
        try:
            with block.raise_on_failure():
                # A block waits by itself where it finds no event loop of its caller's.
                answer: Awaitable[None] | None = block.notify(message.text, subject=message.subject)
                if answer is not None:
                    await answer
        except Exception as exc:  # noqa: BLE001 - whatever it is, its words may hold the block's URL, which is secret
            code = f" {exc.response.status_code}" if isinstance(exc, httpx.HTTPStatusError) else ""
            what = f"{type(exc).__name__}{code}"
            raise NotificationFailed(f"{message.subject!r} was not sent by the block {whom.block}: {what}") from None


def _whom(flow_run: FlowRun) -> Notify:
    return Notify.model_validate(flow_run.parameters.get(_PARAMETER) or {})


def _message(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> Message:
    name = state.name or state.type.value
    return Message(
        flow=flow.name,
        run=flow_run.name,
        state=name,
        message=state.message or "",
        url=page_of(flow_run.id),
        key=f"{flow_run.id}:{name}",
    )


if not TYPE_CHECKING:  # a misspelt import is to be an error of types
    __getattr__ = renamed_names(__name__, {"tell": "send_notification"})
