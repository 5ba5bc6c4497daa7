"""A ping at the start and the end of a run, for services such as healthchecks. A dead worker sends no ping."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect import get_run_logger

from remotejobs.errors import RemoteJobsError
from remotejobs.prefect.tasks.access import secret_of
from remotejobs.text import shortened

_TRIES = 3
_SCHEMES = ("http://", "https://")
_WITHIN = 10.0  # seconds
_LONGEST = 10_000  # characters


@contextmanager
def pinged(url: str, *, block: str = "") -> Iterator[None]:
    """Ping `url` (none if empty) when the block starts, and again when it ends, or fails, with the reason.

    `block` is the Secret block that holds the URL instead. A ping that does not arrive, or a block that cannot be read,
    does not affect the run: the service that expects the ping raises the alarm.
    """
    url = url or _url_in(block)
    _ping(url, "/start")
    try:
        yield
    except Exception as exc:
        _ping(url, "/fail", str(exc))
        raise
    _ping(url, "")


def _url_in(block: str) -> str:
    if not block:
        return ""
    try:
        url = secret_of(block).strip()
    except (RemoteJobsError, httpx.HTTPError) as exc:
        get_run_logger().warning("no ping is sent: %s", exc)
        return ""
    if url.startswith(_SCHEMES):
        return url
    get_run_logger().warning("no ping is sent: the Secret block %r holds no URL, http://... or https://...", block)
    return ""


def _ping(url: str, what: str, text: str = "") -> None:
    if not url:
        return
    said, body = "", shortened(text, _LONGEST).encode("utf-8", "replace")
    for left in reversed(range(_TRIES)):
        try:
            answer = httpx.post(f"{url.rstrip('/')}{what}", content=body, timeout=_WITHIN)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
            said = type(exc).__name__  # its text holds the URL, which may be secret
        else:
            if answer.is_success:
                return
            said = f"it answers {answer.status_code}"
        if left:
            time.sleep(1)
    get_run_logger().warning("the ping%s did not arrive: %s", what, said)
