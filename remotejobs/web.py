"""One HTTP question from the controller. What goes wrong is part of the answer: a health check expects it."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

LONGEST = 64 * 1024  # bytes of a body that are looked at

# Proxies of the environment are for the way out; hosts and balancers are asked directly.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as exc:
        raise ValueError(f"{pattern!r} is no regular expression: {exc}") from exc
    return pattern


Regex = Annotated[str, AfterValidator(_compiles)]  # in a parameter: what a body is searched for


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`error` says in words why there is no answer; `status` is 0 then. `body` is cut at 64 KiB."""

    status: int = 0
    body: str = ""
    error: str = ""


def fetch(url: str, *, method: str = "GET", timeout: float = 5) -> Answer:
    """Ask `url`, following redirects. `timeout` is seconds for each step of the network; never raises for it."""
    try:
        request = urllib.request.Request(url, method=method)  # noqa: S310 - settings allow http and https alone
        with _OPENER.open(request, timeout=timeout) as response:
            return Answer(status=response.status, body=_text(response.read(LONGEST)))
    except urllib.error.HTTPError as exc:
        with exc:
            return Answer(status=exc.code, body=_text(exc.read(LONGEST)))
    except urllib.error.URLError as exc:
        return Answer(error=str(exc.reason))
    except (OSError, http.client.HTTPException, ValueError) as exc:
        return Answer(error=str(exc) or type(exc).__name__)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
