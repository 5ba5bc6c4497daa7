"""Where Prefect's server is and who asks it: Prefect's own settings, read also where Prefect is not installed."""

from __future__ import annotations

import base64
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, unquote, urlsplit

from remotejobs.operations.web import HttpResponse, Tls, fetch

_LONGEST = 16 * 1024 * 1024  # bytes of an answer
_YES = ("true", "1", "yes", "on")


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """`api` and `ui` are addresses that may be shown: a user and password that were in them are in `headers`.

    `known` is whether there is a server to ask.
    """

    api: str = ""
    ui: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Tls = field(default_factory=Tls)

    @property
    def known(self) -> bool:
        return self.api.startswith(("http://", "https://"))

    def ask(self, path: str, content: bytes | None = None) -> HttpResponse:
        """The answer to a question, which with `content`, JSON, is a POST."""
        method = "GET" if content is None else "POST"
        headers = {**self.headers, **({} if content is None else {"Content-Type": "application/json"})}
        return fetch(
            f"{self.api}{path}", method=method, headers=headers, content=content, tls=self.tls, longest=_LONGEST
        )


def prefect_server(settings: Mapping[str, str]) -> PrefectServer:
    """The server that Prefect's settings name, by the names of their variables."""
    api, login = _without_login(settings.get("PREFECT_API_URL", ""))
    ui, _ = _without_login(settings.get("PREFECT_UI_URL", ""))
    older = settings.get("PREFECT_SERVER_UI_V2_ENABLED", "").lower() in ("false", "0")
    return PrefectServer(
        api=api,
        ui=(ui or api.removesuffix("/api")) + ("" if older else "/v2"),
        headers={**_custom_headers(settings), **login, **_login(settings)},
        tls=Tls(
            ca_file=settings.get("PREFECT_API_SSL_CERT_FILE", ""),
            verify=settings.get("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "").lower() not in _YES,
        ),
    )


def prefect_settings(environment: Mapping[str, str] = MappingProxyType(os.environ)) -> dict[str, str]:
    """The environment, and beneath it the profile that is active: `prefect config set` writes it."""
    home = Path(environment.get("PREFECT_HOME") or Path.home() / ".prefect").expanduser()
    file = Path(environment.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    try:
        content = tomllib.loads(file.read_text("utf-8"))
        profile = content["profiles"][environment.get("PREFECT_PROFILE") or content["active"]]
        return {**{name: str(value) for name, value in profile.items()}, **environment}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return dict(environment)  # no profile, or none that Prefect would understand


def _without_login(address: str) -> tuple[str, dict[str, str]]:
    """An address as it may be shown, and the headers for the user and password that were in it."""
    try:
        parts = urlsplit(address.strip().rstrip("/"))
    except ValueError:
        return "", {}
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return shown, _basic(parts) if "@" in parts.netloc else {}


def _basic(parts: SplitResult) -> dict[str, str]:
    return _basic_of(f"{unquote(parts.username or '')}:{unquote(parts.password or '')}")


def _basic_of(pair: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _login(settings: Mapping[str, str]) -> dict[str, str]:
    """The headers by which the server knows who asks."""
    if key := settings.get("PREFECT_API_KEY", ""):
        return {"Authorization": f"Bearer {key}"}
    pair = settings.get("PREFECT_API_AUTH_STRING", "")
    return _basic_of(pair) if pair else {}


def _custom_headers(settings: Mapping[str, str]) -> dict[str, str]:
    try:
        given = json.loads(settings.get("PREFECT_CLIENT_CUSTOM_HEADERS", "") or "{}")
        return {str(name): str(value) for name, value in given.items()}
    except (ValueError, AttributeError):
        return {}
