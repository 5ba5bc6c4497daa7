"""When a host is healthy: what one answer says, and how long it must say so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from remotejobs.operations.rolling import Health
from remotejobs.operations.rolling.health import HealthCheck, Streak, judged
from remotejobs.operations.rolling.steps import HealthStatus, await_health
from remotejobs.operations.web import HttpResponse

HEALTH = Health(url="http://{host}/health", body="ok", version='"version": "([^"]+)"', stable_for=0, deadline=0.01)
GOOD = HealthCheck(healthy=True, version="2.0")


@pytest.mark.parametrize(
    ("answer", "healthy", "said"),
    [
        (HttpResponse(status=200, body='ok "version": "2.0"'), True, ""),
        (HttpResponse(status=503, body="ok"), False, "status 503, wanted 200: ok"),
        (HttpResponse(status=200, body="starting"), False, "the body does not match 'ok'"),
        (HttpResponse(error="Connection refused"), False, "no answer: Connection refused"),
    ],
)
def test_status_and_body_must_both_be_right(answer: HttpResponse, healthy: bool, said: str) -> None:
    check = judged(HEALTH, answer)
    assert (check.healthy, check.said) == (healthy, said)


def test_the_version_is_the_group_of_its_pattern() -> None:
    assert judged(HEALTH, HttpResponse(status=200, body='ok "version": "2.0-rc 1"')).version == "2.0-rc-1"


def test_a_version_pattern_without_a_group_is_refused() -> None:
    with pytest.raises(ValidationError, match="has no group"):
        Health(url="http://web1/", version="[0-9.]+")


sights = st.builds(HealthCheck, healthy=st.booleans(), version=st.sampled_from(["1.0", "2.0"]))


@given(st.lists(st.tuples(sights, st.floats(0.01, 5)), min_size=1, max_size=40), st.floats(0, 20))
def test_ready_is_only_what_was_ready_in_every_check_for_long_enough(
    checks: list[tuple[HealthCheck, float]], stable_for: float
) -> None:
    streak, at, seen = Streak(wanted="2.0"), 0.0, list[tuple[float, HealthCheck]]()
    for check, pause in checks:
        at += pause
        seen.append((at, check))
        streak = streak.after(check, at)
        last = next((index for index in reversed(range(len(seen))) if seen[index][1] != GOOD), -1)
        run = seen[last + 1 :]
        assert streak.ready(at, stable_for) == (bool(run) and at - run[0][0] >= stable_for)
        assert streak.healthy(at, stable_for) or not streak.ready(at, stable_for)


@pytest.mark.parametrize(
    ("check", "condition", "why"),
    [
        (GOOD, HealthStatus.READY, ""),
        (HealthCheck(healthy=True, version="1.0"), HealthStatus.HEALTHY, "it runs version 1.0, not 2.0"),
        (HealthCheck(healthy=False, said="status 503"), HealthStatus.UNHEALTHY, "status 503"),
    ],
)
def test_at_the_deadline_an_old_version_is_distinguished_from_a_sick_host(
    check: HealthCheck, condition: HealthStatus, why: str
) -> None:
    verdict = await_health(lambda: check, HEALTH.model_copy(update={"interval": 0.01}), "2.0", lambda: None)
    assert (verdict.condition, verdict.why) == (condition, why)
