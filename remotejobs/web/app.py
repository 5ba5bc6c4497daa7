"""The addresses of the page: what a browser may request, and what it gets. `guard` has already allowed it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from urllib.parse import parse_qsl

from jinja2 import Environment, FunctionLoader
from starlette.applications import Starlette
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from remotejobs.errors import RemoteJobsError
from remotejobs.text import one_line
from remotejobs.web.actions import Actions, Done
from remotejobs.web.board import Board
from remotejobs.web.guard import SESSION_SECONDS, Guard, Sessions
from remotejobs.web.once import Once, TokenUsed
from remotejobs.web.stream import fleet_events, output_events

ASKING = 16  # threads for the outputs that pages follow, and as many for actions, which wait for none of those
STREAMS = 128  # at a time: pages that are open, and outputs that they follow
LONGEST_POST = 512 * 1024  # bytes: the names of some thousand hosts

_FILES = {"fleet.js": "text/javascript", "fleet.css": "text/css", "icon.svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Settings:
    """`names` are those by which browsers may request the page; with `addresses`, any address of this machine may.

    `sessions` None: no login. `actions` says whether anything may be done; `secure` whether it is served by TLS.
    """

    title: str
    cookie: str
    names: tuple[str, ...] = ()
    addresses: bool = False
    sessions: Sessions | None = None
    actions: bool = False
    secure: bool = False
    log: Callable[[str], None] = print


def application(board: Board, settings: Settings) -> Guard:
    """The whole, to be served."""
    site = _Site(board, settings)
    routes = [
        Route("/", site.page),
        Route("/static/{name}", site.static),
        Route("/events", site.events),
        Route("/output", site.output),
        Route("/runs/{run}/again", site.form_again),
        Route("/login", site.login, methods=["GET", "POST"]),
        Route("/logout", site.logout, methods=["POST"]),
    ]
    if settings.actions:
        routes += [
            Route("/kill", site.kill, methods=["POST"]),
            Route("/again", site.again, methods=["POST"]),
        ]
    return Guard(
        Starlette(routes=routes),
        names=settings.names,
        addresses=settings.addresses,
        sessions=settings.sessions,
        cookie=settings.cookie,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a post asks for; with the same `token` it is the same request."""

    what: str
    jid: str
    hosts: tuple[str, ...]
    token: str
    timeout: int | None = None


class _Site:
    def __init__(self, board: Board, settings: Settings) -> None:
        self._board = board
        self._settings = settings
        self._pool = ThreadPoolExecutor(ASKING, thread_name_prefix="page")
        self._actions = Actions(board.live, ThreadPoolExecutor(ASKING, thread_name_prefix="action"))
        self._once = Once()
        self._streams = 0
        self._pages = Environment(autoescape=True, loader=FunctionLoader(_text))

    async def page(self, request: Request) -> Response:
        sessions, session = self._settings.sessions, request.scope["session"]
        csrf = sessions.csrf(session) if sessions and session else ""
        return self._html("fleet.html", csrf=csrf, actions=self._settings.actions and bool(csrf), login=bool(csrf))

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return PlainTextResponse("There is no such file.\n", status_code=404)
        return Response(_text(name), media_type=_FILES[name])

    async def events(self, request: Request) -> Response:
        return self._stream(request, fleet_events(self._board))

    async def output(self, request: Request) -> Response:
        host, jid = request.query_params.get("host", ""), request.query_params.get("jid", "")
        if host not in self._board.hosts:
            return PlainTextResponse("There is no such host.\n", status_code=404)
        return self._stream(request, output_events(self._board, self._pool, host, jid))

    def _stream(self, request: Request, messages: AsyncGenerator[str, None]) -> Response:
        if self._streams >= STREAMS:
            said = f"{STREAMS} pages and outputs are open already: close some.\n"
            return PlainTextResponse(said, status_code=503, headers={"Retry-After": "10"})
        return StreamingResponse(
            self._while_logged_in(request.scope["session"], messages),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )

    async def _while_logged_in(self, session: str, messages: AsyncGenerator[str, None]) -> AsyncGenerator[str]:
        """End the stream at the first message after the session has ended."""
        sessions = self._settings.sessions
        self._streams += 1
        try:
            async with aclosing(messages):
                async for message in messages:
                    if sessions and session and not sessions.holds(session):
                        return
                    yield message
        finally:
            self._streams -= 1

    async def form_again(self, request: Request) -> Response:
        """To the form in Prefect's UI that starts the run's deployment on the hosts that failed."""
        run = request.path_params["run"]
        hosts = self._board.failed(run)
        try:
            known = await asyncio.to_thread(self._board.server.of_ids, [run])
        except RemoteJobsError as exc:
            return PlainTextResponse(f"{exc}\n", status_code=502)
        form = self._board.server.form_of(known[run], hosts) if run in known and hosts else ""
        if not form:
            said = "Nothing of this run failed, or its deployment does not take hosts: start it by hand.\n"
            return PlainTextResponse(said, status_code=404)
        return RedirectResponse(form, status_code=303)

    async def kill(self, request: Request) -> Response:
        given = await _post(request)
        host, jid = given.get("host", ""), given.get("jid", "")
        hosts = self._shown(jid, [host])
        asked = _Asked("kill", jid, tuple(hosts), given.get("once", ""))
        return await self._act(request, asked, lambda: self._actions.kill(host, jid))

    async def again(self, request: Request) -> Response:
        given = await _post(request)
        jid, timeout = given.get("jid", ""), given.get("timeout", "")
        if timeout and not re.fullmatch(r"[1-9]\d{0,8}", timeout, re.ASCII):
            return PlainTextResponse("A timeout is a whole number of seconds.\n", status_code=400)
        # Not where it failed after the person confirmed.
        hosts = self._shown(jid, given.getlist("host"))
        seconds = int(timeout) if timeout else None
        asked = _Asked("run again", jid, tuple(hosts), given.get("once", ""), seconds)
        return await self._act(request, asked, lambda: self._actions.again(jid, hosts, seconds))

    def _shown(self, jid: str, hosts: list[str]) -> list[str]:
        """Those of the hosts on which the page shows the job: an action concerns nothing that it does not show."""
        there = {each.host for each in self._board.live.records if each.jid == jid}
        return [host for host in dict.fromkeys(hosts) if host in there]

    async def _act(self, request: Request, asked: _Asked, act: Callable[[], list[Done]]) -> Response:
        if not asked.hosts:
            return PlainTextResponse("There is no such job that this can be done to.\n", status_code=404)
        client = request.client.host if request.client else "?"
        log, what = self._settings.log, f"{asked.what} {one_line(asked.jid)} on"

        def logged() -> list[Done]:
            log(f"{what} {', '.join(asked.hosts)}: asked for by {client}")
            done = act()
            for each in done:
                log(f"{what} {each.host}: {each.text}")
            return done

        try:
            done = await self._once.do(request.scope["session"], asked.token, asked, logged)
        except TokenUsed:
            said = "This was asked for already, with other hosts or another timeout: see what comes of it first.\n"
            return PlainTextResponse(said, status_code=409)
        return JSONResponse([asdict(each) for each in done])

    async def login(self, request: Request) -> Response:
        sessions = self._settings.sessions
        if sessions is None:
            return RedirectResponse("/", status_code=303)
        to = request.query_params.get("to", "")
        if once := request.query_params.get("once", ""):
            good, said = sessions.take_once(once), "This link was used already, or is too old."
        elif request.method == "GET":
            return self._html("login.html", said="", to=to)
        else:
            good, said = sessions.is_token((await _post(request)).get("token", "").strip()), "That is not the token."
        if not good:
            await sessions.pause()
            return self._html("login.html", status=403, said=said, to=to)
        # Redirected: this address, with what is in it, would stay in the browser's history.
        answer = RedirectResponse(f"/?{to}" if to else "/", status_code=303)
        answer.set_cookie(
            self._settings.cookie,
            sessions.begin(),
            max_age=int(SESSION_SECONDS),
            httponly=True,
            samesite="lax",
            secure=self._settings.secure,
        )
        return answer

    async def logout(self, request: Request) -> Response:
        if self._settings.sessions:
            self._settings.sessions.end(request.scope["session"])
        answer = Response(status_code=204)
        answer.delete_cookie(self._settings.cookie)
        return answer

    def _html(self, name: str, *, status: int = 200, **values: object) -> Response:
        page = self._pages.get_template(name)
        return HTMLResponse(page.render(title=self._settings.title, **values), status_code=status)


async def _post(request: Request) -> ImmutableMultiDict[str, str]:
    """The fields of a form; of one that is too long nothing."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > LONGEST_POST:
            return ImmutableMultiDict()
    return ImmutableMultiDict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))


@cache
def _text(name: str) -> str:
    return resources.files("remotejobs.web").joinpath("pages", name).read_text("utf-8")
