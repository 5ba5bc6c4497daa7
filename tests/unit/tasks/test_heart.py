"""Heartbeats of our own, where the waiting times are shorter than Prefect's heartbeats are apart."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Completed, Crashed, Failed, Running

from remotejobs.prefect.tasks.recovery import heart
from remotejobs.prefect.tasks.recovery.heart import Heart
from remotejobs.prefect.tasks.timings import Timings

RUN = FlowRun(flow_id=uuid4(), name="a run", tags=["resumable"])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str], list[dict[str, str]]]]:
    """What the server is sent."""
    sent: list[Any] = []
    monkeypatch.setattr(heart, "emit_event", lambda event, resource, related: sent.append((event, resource, related)))
    return sent


def beat(monkeypatch: pytest.MonkeyPatch, timings: Timings, *states: State[None]) -> None:
    monkeypatch.setattr(heart, "timings", lambda: timings)
    Heart(RUN).beat(states)


def test_prefects_own_are_enough_at_the_usual_times(monkeypatch: pytest.MonkeyPatch, sent: list[Any]) -> None:
    beat(monkeypatch, Timings(), Running())
    assert sent == []


@pytest.mark.parametrize("reported", [[], [Crashed()]], ids=["under way", "reported dead"])
def test_one_is_about_the_run_and_its_tags(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], reported: list[State[None]]
) -> None:
    beat(monkeypatch, Timings(heartbeat=0), Running(), *reported)
    ((event, resource, related),) = sent
    assert (event, resource["prefect.resource.id"]) == ("prefect.flow-run.heartbeat", f"prefect.flow-run.{RUN.id}")
    assert related == [{"prefect.resource.id": "prefect.tag.resumable", "prefect.resource.role": "tag"}]


def test_none_is_sent_before_it_is_time(monkeypatch: pytest.MonkeyPatch, sent: list[Any]) -> None:
    beat(monkeypatch, Timings(heartbeat=29), Running())
    assert sent == []


@pytest.mark.parametrize("end", [Completed(), Failed(), Cancelled()], ids=lambda end: end.name)
def test_none_follows_the_end_which_an_automation_would_wait_for_in_vain(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], end: State[None]
) -> None:
    beat(monkeypatch, Timings(heartbeat=0), Running(), end)
    assert sent == []
