"""Prefect's server is found and asked as Prefect's own settings say, and no password of them is shown."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lab.loopback import LoopbackServer
from remotejobs.operations.flow_runs import FlowRuns, PrefectNotAsked
from remotejobs.operations.prefect_server import prefect_server, prefect_settings
from tests.certificates import certificate

RUN = "0e9d3a0a-1111-4222-8333-123456789abc"


class OverTls(LoopbackServer):
    """Answers with the headers that it was asked with."""

    def __init__(self, context: ssl.SSLContext) -> None:
        server = HTTPServer(("127.0.0.1", 0), _Echo)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        super().__init__(server)
        self.api = f"https://localhost:{server.server_port}/api"


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(self.headers).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """No line for each request."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OverTls]:
    """Its certificate is in cert.pem."""
    authority = certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, tmp_path / "key.pem")
    with OverTls(context) as server:
        yield server


def test_the_authority_of_the_settings_is_trusted_and_no_other(server: OverTls, tmp_path: Path) -> None:
    def status(**settings: str) -> int:
        return prefect_server({"PREFECT_API_URL": server.api, **settings}).ask("/health").status

    assert status(PREFECT_API_SSL_CERT_FILE=str(tmp_path / "cert.pem")) == 200
    assert status() == 0
    assert status(PREFECT_API_TLS_INSECURE_SKIP_VERIFY="true") == 200


def test_a_user_and_a_password_in_an_address_log_in_and_are_shown_nowhere(server: OverTls, tmp_path: Path) -> None:
    secret = server.api.replace("https://", "https://me:hunter%202@")
    settings = {"PREFECT_API_URL": secret, "PREFECT_API_SSL_CERT_FILE": str(tmp_path / "cert.pem")}
    assert "Authorization: Basic bWU6aHVudGVyIDI=" in prefect_server(settings).ask("/health").body
    runs = FlowRuns(settings)
    with pytest.raises(PrefectNotAsked) as refused:
        runs.waiting()
    for shown in (str(refused.value), runs.page_of(RUN), repr(prefect_server(settings))):
        assert "localhost" in shown
        assert "hunter" not in shown and "me:" not in shown
    ui = FlowRuns({"PREFECT_API_URL": server.api, "PREFECT_UI_URL": "https://me:word@ui.example/"})
    assert ui.page_of(RUN) == f"https://ui.example/v2/runs/flow-run/{RUN}"


def test_a_login_of_the_settings_and_headers_of_a_proxy_are_sent(server: OverTls, tmp_path: Path) -> None:
    settings = {"PREFECT_API_URL": server.api, "PREFECT_API_SSL_CERT_FILE": str(tmp_path / "cert.pem")}
    more = {"PREFECT_API_AUTH_STRING": "me:word", "PREFECT_CLIENT_CUSTOM_HEADERS": '{"CF-Access": "x"}'}
    said = prefect_server({**settings, **more}).ask("/health").body
    assert "Authorization: Basic bWU6d29yZA==" in said
    assert "cf-access: x" in said.lower()
    assert "Bearer key" in prefect_server({**settings, "PREFECT_API_KEY": "key"}).ask("/health").body


def test_the_active_profile_is_read_beneath_the_environment(tmp_path: Path) -> None:
    (tmp_path / "profiles.toml").write_text(
        'active = "work"\n[profiles.work]\nPREFECT_API_URL = "http://work/api"\nPREFECT_API_KEY = "key"\n'
        '[profiles.home]\nPREFECT_API_URL = "http://home/api"\n'
    )
    here = {"PREFECT_HOME": str(tmp_path)}
    assert prefect_settings(here) == {**here, "PREFECT_API_URL": "http://work/api", "PREFECT_API_KEY": "key"}
    assert prefect_settings({**here, "PREFECT_PROFILE": "home"})["PREFECT_API_URL"] == "http://home/api"
    assert prefect_settings({**here, "PREFECT_API_URL": "http://x/api"})["PREFECT_API_URL"] == "http://x/api"


@pytest.mark.parametrize("content", ["", "active = 3", "not [ toml", 'active = "none"\n[profiles]\n'])
def test_without_a_profile_that_prefect_would_read_the_environment_counts_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "profiles.toml").write_text(content)
    here = {"PREFECT_HOME": str(tmp_path)}
    assert prefect_settings(here) == here
