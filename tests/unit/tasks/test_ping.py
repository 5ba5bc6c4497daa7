"""A run reports its begin and its end to a URL, as healthchecks expects it."""

from __future__ import annotations

import logging
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prefect.logging import disable_run_logger
from pydantic import ValidationError

from lab.loopback import LoopbackServer
from remotejobs.errors import UsageError
from remotejobs.operations.backup import BackupPlan
from remotejobs.prefect.tasks.backups.ping import pinged


class Listener(BaseHTTPRequestHandler):
    received: list[tuple[str, str]]
    status: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        self.received.append((self.path, body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """No line for each request."""


class Healthchecks(LoopbackServer):
    """`with Healthchecks() as service:`; `received` are the paths and bodies of pings."""

    def __init__(self, status: int = 200) -> None:
        self.received: list[tuple[str, str]] = []
        listener = type("Own", (Listener,), {"received": self.received, "status": status})
        super().__init__(HTTPServer(("127.0.0.1", 0), listener))

    @property
    def ping(self) -> str:
        return f"{self.url}ping/abc"


def test_the_begin_and_the_end_are_reported() -> None:
    with Healthchecks() as service:
        with pinged(service.ping):
            assert service.received == [("/ping/abc/start", "")]
        assert service.received[1:] == [("/ping/abc", "")]


def test_a_failure_is_reported_with_what_failed() -> None:
    with Healthchecks() as service:
        with pytest.raises(ValueError, match="2 of 3"), pinged(service.ping):
            raise ValueError("2 of 3 failed")
        assert service.received[1:] == [("/ping/abc/fail", "2 of 3 failed")]


def test_a_service_that_refuses_or_is_not_there_changes_nothing() -> None:
    with disable_run_logger():
        with Healthchecks(status=500) as service, pinged(service.ping):
            pass
        assert [path for path, _ in service.received] == ["/ping/abc/start"] * 3 + ["/ping/abc"] * 3
        with pinged(service.ping):
            pass


@pytest.mark.parametrize(
    "url", ["https://hc-ping.com:x/secret", "https://[secret/x", "http://", "https://secret\u2028.org/"]
)
def test_a_url_that_is_none_changes_nothing_and_stays_out_of_the_log(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("remotejobs.prefect.tasks.backups.ping.get_run_logger", lambda: logging.getLogger("run"))
    monkeypatch.setattr("remotejobs.prefect.tasks.backups.ping.time.sleep", lambda _seconds: None)
    with pinged(url):
        pass
    assert "did not arrive" in caplog.text and "secret" not in caplog.text


def test_a_failure_whose_words_are_no_unicode_is_reported_and_raised_as_it_is() -> None:
    with Healthchecks() as service:
        with pytest.raises(ValueError, match="failed"), pinged(service.ping):
            raise ValueError("\udcff failed")
        assert service.received[1:] == [("/ping/abc/fail", "? failed")]


def test_the_url_may_be_in_a_secret_block(monkeypatch: pytest.MonkeyPatch) -> None:
    with Healthchecks() as service:
        blocks = {"nightly-ping": f"{service.ping}\n"}
        monkeypatch.setattr("remotejobs.prefect.tasks.backups.ping.secret_of", blocks.__getitem__)
        with pinged("", block="nightly-ping"):
            pass
        assert [path for path, _ in service.received] == ["/ping/abc/start", "/ping/abc"]


@pytest.mark.parametrize("held", ["no url, but a secret", UsageError("the Secret block 'ping' cannot be read")])
def test_a_secret_block_that_gives_no_url_changes_nothing_and_stays_out_of_the_log(
    held: str | UsageError, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def secret_of(_block: str) -> str:
        if isinstance(held, UsageError):
            raise held
        return held

    monkeypatch.setattr("remotejobs.prefect.tasks.backups.ping.secret_of", secret_of)
    monkeypatch.setattr("remotejobs.prefect.tasks.backups.ping.get_run_logger", lambda: logging.getLogger("run"))
    with pinged("", block="ping"):
        pass
    assert "no ping is sent" in caplog.text and "a secret" not in caplog.text


def test_a_plan_names_one_place_of_the_url() -> None:
    with pytest.raises(ValidationError, match="give either ping_url or ping_block"):
        BackupPlan.model_validate(
            {
                "commands": [{"name": "a", "hosts": "all", "command": "true"}],
                "ping_url": "https://hc-ping.com/x",
                "ping_block": "ping",
            }
        )


def test_without_a_url_nobody_is_pinged() -> None:
    with pinged(""):
        pass
