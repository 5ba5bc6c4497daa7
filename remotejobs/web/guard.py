"""Which requests are allowed, checked before anything else: the Host header, the login, and the origin of a post.

A page on localhost can be reached by any page that the same browser has open, whose name may come to lead here (DNS
rebinding): so the name in the request counts. A post has to come from this page and carry its session's token.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION_SECONDS = 12 * 3600.0
WRONG_PAUSE = 1.0  # seconds after a wrong token, one at a time
ONCE_SECONDS = 600.0  # how long a link for one login holds

_OPEN = ("/login", "/static/")  # served without a login: the form and its style
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# No script or style but our own files, none of what a host wrote as markup (Trusted Types), and no frame around it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Sessions:
    """The sessions that are logged in. Of tokens and sessions only digests are kept, and compared in constant time."""

    def __init__(self, token: str) -> None:
        self._token = _digest(token)
        self._key = secrets.token_bytes(32)
        self._until: dict[bytes, float] = {}
        self._once: dict[bytes, float] = {}
        self._lock = threading.Lock()
        self._wrong = asyncio.Lock()

    def is_token(self, given: str) -> bool:
        return hmac.compare_digest(_digest(given), self._token)

    async def pause(self) -> None:
        """The pause after a wrong token; all of them wait in one queue."""
        async with self._wrong:
            await asyncio.sleep(WRONG_PAUSE)

    def link(self) -> str:
        """A token that `take_once` accepts one time, within ten minutes."""
        word = secrets.token_urlsafe(24)
        with self._lock:
            self._once[_digest(word)] = time.monotonic() + ONCE_SECONDS
        return word

    def take_once(self, word: str) -> bool:
        with self._lock:
            return self._once.pop(_digest(word), 0.0) > time.monotonic()

    def begin(self) -> str:
        """The token for the cookie of a new session."""
        session, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._until = {each: until for each, until in self._until.items() if until > now}
            self._until[_digest(session)] = now + SESSION_SECONDS
        return session

    def holds(self, session: str) -> bool:
        with self._lock:
            return self._until.get(_digest(session), 0.0) > time.monotonic()

    def end(self, session: str) -> None:
        with self._lock:
            self._until.pop(_digest(session), None)

    def csrf(self, session: str) -> str:
        """What a post of this session has to carry; no other page can read it."""
        return hmac.new(self._key, session.encode(), hashlib.sha256).hexdigest()


class Guard:
    """Around the application. `sessions` None: anyone who can reach the page may read it, and nothing can be posted.

    `names` are those by which browsers may request it. With `addresses`, where it listens on more than this machine, an
    address will do too: only names can be made to lead elsewhere.
    """

    def __init__(
        self, app: ASGIApp, *, names: Iterable[str], addresses: bool, sessions: Sessions | None, cookie: str
    ) -> None:
        self._app = app
        self._names = {*_LOOPBACK, *(name.lower() for name in names)}
        self._addresses = addresses
        self._sessions = sessions
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refused(scope)
        if refused and self._sessions and _bearer(Headers(scope=scope)):
            await self._sessions.pause()  # a good one is only refused for the name in the request
        answer = refused or self._app
        return await answer(scope, receive, guarded)

    def _refused(self, scope: Scope) -> ASGIApp | None:
        headers, path, reading = Headers(scope=scope), scope["path"], scope["method"] in ("GET", "HEAD")
        if not self._is_ours(headers.get("host", "")):
            said = "This page is not known by that name: start remotejobs web with --name NAME.\n"
            return PlainTextResponse(said, status_code=421)
        scope["session"] = session = self._session_of(headers)
        bearer = self._is_bearer(headers)
        if not reading and not bearer and not _from_here(headers):
            return PlainTextResponse("Only this page itself may send that.\n", status_code=403)
        if self._sessions is None or bearer or path.startswith(_OPEN):
            return None
        if not session:
            return _to_login(scope) if reading and path == "/" else _login_first()
        if not reading and not hmac.compare_digest(
            headers.get("x-csrf-token", "").encode(), self._sessions.csrf(session).encode()
        ):
            return PlainTextResponse("The page is of an earlier login: load it again.\n", status_code=403)
        return None

    def _is_ours(self, host: str) -> bool:
        name = hostname(host)
        return name in self._names or (self._addresses and _is_address(name))

    def _session_of(self, headers: Headers) -> str:
        """The token of a session that is valid, or ""."""
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return cookie.value if cookie and self._sessions and self._sessions.holds(cookie.value) else ""

    def _is_bearer(self, headers: Headers) -> bool:
        token = _bearer(headers)
        return bool(token) and self._sessions is not None and self._sessions.is_token(token)


def _bearer(headers: Headers) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _to_login(scope: Scope) -> RedirectResponse:
    """And from there to the page that was wanted: the jobs of a run, for example."""
    query = scope["query_string"].decode("latin-1")
    return RedirectResponse(f"/login?to={quote(query, safe='')}" if query else "/login", status_code=303)


def _login_first() -> PlainTextResponse:
    return PlainTextResponse("Log in first.\n", status_code=401, headers={"WWW-Authenticate": "Bearer"})


def _from_here(headers: Headers) -> bool:
    """Whether a browser says that the request comes from a page of ours. No other program needs to post here."""
    origin = headers.get("origin", "")
    same = bool(origin) and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    return same and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def hostname(host: str) -> str:
    """Of a Host header the name, without a port; "" for what has none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _digest(word: str) -> bytes:
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
