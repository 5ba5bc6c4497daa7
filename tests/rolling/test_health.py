"""When a host is healthy: what one answer says, and how long it must say so."""

from __future__ import annotations

import ssl
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lab.loopback import LoopbackServer
from remotejobs.agent.shell import Shell
from remotejobs.connections.local import LocalConnection
from remotejobs.inventory import load_inventory
from remotejobs.operations.rolling import Health
from remotejobs.operations.rolling.health import HealthCheck, Streak, check_health, judged
from remotejobs.operations.rolling.host_command import command_on
from remotejobs.operations.rolling.steps import HealthStatus, await_health, check_stays_healthy
from remotejobs.operations.web import HttpResponse
from tests.certificates import certificate

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


@given(st.lists(sights, min_size=1, max_size=20), st.integers(1, 5))
def test_it_takes_as_many_consecutive_checks_as_rise_says(checks: list[HealthCheck], rise: int) -> None:
    streak = Streak(wanted="2.0", rise=rise)
    for check in checks:
        streak = streak.after(check, 0.0)
    assert streak.ready(0.0, 0) == (len(checks) >= rise and all(check == GOOD for check in checks[-rise:]))


def test_a_host_that_comes_and_goes_is_called_flapping_whether_it_ends_well_or_not() -> None:
    ill = HealthCheck(healthy=False, said="status 503")
    answers = iter([ill, GOOD, ill, GOOD, ill, GOOD, GOOD])
    plan = HEALTH.model_copy(update={"interval": 0.001, "rise": 2, "deadline": 60})
    verdict = await_health(lambda: next(answers), plan, "2.0", lambda: None)
    assert verdict.condition is HealthStatus.READY
    assert verdict.flapping == "it is flapping: healthy, and not any more, 2 times"
    streak = Streak(wanted="").after(GOOD, 0).after(ill, 1)
    assert streak.why == "status 503; it is flapping: healthy, and not any more, once"
    assert Streak(wanted="").after(ill, 0).after(ill, 1).why == "status 503"


class Site(LoopbackServer):
    """Answers with the header Host that it was asked with."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        server = HTTPServer(("127.0.0.1", 0), _Site)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        super().__init__(server)


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"ok for {self.headers['Host']}".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """No line for each request."""


def passed(command: str, timeout: float) -> str:
    return "" if command == "true" else "rc 1"


def test_all_checks_must_be_passed_and_the_one_that_is_not_is_named(tmp_path: Path) -> None:
    with Site() as site:
        address = site.url.removeprefix("http://").rstrip("/")
        host = load_inventory(inventory(tmp_path, address)).hosts["web1"]
        ask = {"url": "http://{app}/", "headers": {"Host": "{host}.example"}, "body": "ok for web1.example"}
        other: dict[str, object] = {"http": {"url": "http://{app}/other", "body": "ok for 127"}}

        def check(*also: dict[str, object]) -> HealthCheck:
            return check_health(Health.model_validate({**ask, "also": also}), host, passed)

        assert check({"tcp": "{app}"}, other, {"command": "true"}).healthy
        assert check({"tcp": "127.0.0.1:1"}).said.startswith("tcp 127.0.0.1:1: [Errno 111]")
        assert check({"tcp": "{host}"}).said == "tcp web1: it is not HOST:PORT"
        assert check({"command": "systemctl is-active shop"}).said == "`systemctl is-active shop`: rc 1"
        wrong: dict[str, object] = {"http": {"url": "http://{app}/", "status": 204}}
        assert check(wrong).said == f"http://{address}/: status 200, wanted 204: ok for {address}"


@pytest.mark.parametrize("check", [{}, {"tcp": "a:1", "command": "true"}])
def test_a_further_check_is_exactly_one_thing(check: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="name exactly one of http, tcp and command"):
        Health.model_validate({"url": "http://web1/", "also": [check]})


def test_over_https_the_name_asked_for_and_the_authority_are_those_of_the_plan(tmp_path: Path) -> None:
    authority = certificate(tmp_path, "shop.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    context.load_cert_chain(authority, tmp_path / "key.pem")
    with Site(context) as site:
        url = site.url.replace("http://", "https://")
        host = load_inventory(inventory(tmp_path, "")).hosts["web1"]

        def said(**tls: str) -> str:
            return check_health(Health.model_validate({"url": url, **tls}), host, passed).said

        assert said(server_name="shop.example", ca_file=str(authority)) == ""
        assert asked == ["shop.example"]
        assert "certificate verify failed" in said(server_name="shop.example")
        assert "is not valid for 'other.example'" in said(server_name="other.example", ca_file=str(authority))
        assert "No such file" in said(ca_file=str(tmp_path / "none.pem"))


def inventory(directory: Path, app: str) -> Path:
    path = directory / "inventory.yml"
    path.write_text(f"all:\n  hosts:\n    web1:\n      app: '{app}'\n")
    return path


@pytest.mark.parametrize(
    ("command", "said"),
    [("true", ""), ("echo worker is down; exit 3", "rc 3: worker is down"), ("sleep 60", "not over within 1 s")],
)
def test_a_command_on_the_host_says_by_its_code_whether_it_is_healthy(command: str, said: str) -> None:
    assert command_on(Shell(LocalConnection("web1")))(command, 1) == said


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


class Clock:
    """Seconds that pass only when something takes them."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("each_takes", [0.0, 0.4, 3.0])
def test_a_host_put_back_after_an_update_may_be_slow_to_say_that_it_is_healthy(
    each_takes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("remotejobs.operations.rolling.steps.time", clock)

    def ask() -> HealthCheck:
        clock.sleep(each_takes)
        return GOOD

    plan = HEALTH.model_copy(update={"interval": 0.1, "stable_for": 0.5, "rise": 3})
    verdict = check_stays_healthy(ask, plan)
    assert verdict.condition is HealthStatus.READY
    assert verdict.seconds >= 0.5


def test_until_a_host_is_healthy_its_balancer_is_asked_at_once_and_then_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, asked = Clock(), list[float]()
    monkeypatch.setattr("remotejobs.operations.rolling.steps.time", clock)
    ill = HealthCheck(healthy=False, said="status 503")
    plan = HEALTH.model_copy(update={"interval": 0.25, "deadline": 4})
    await_health(lambda: ill, plan, "2.0", lambda: asked.append(clock.now))
    assert asked == [0, 1, 2, 3]


def test_its_first_answer_that_is_not_healthy_keeps_it_out() -> None:
    answers = iter([GOOD, HealthCheck(healthy=False, said="status 503"), GOOD])
    verdict = check_stays_healthy(lambda: next(answers), HEALTH.model_copy(update={"interval": 0.001, "rise": 2}))
    assert (verdict.condition, verdict.why.split(";")[0]) == (HealthStatus.UNHEALTHY, "status 503")
    assert next(answers) == GOOD
