"""Serving the page: where it listens, who may log in, and what is printed about that at the start."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import socket
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from remotejobs.errors import UsageError
from remotejobs.web.app import Settings, application
from remotejobs.web.board import Board
from remotejobs.web.guard import Sessions, hostname

SHORTEST_TOKEN = 16  # characters of one that a person chose
TOKEN = "REMOTEJOBS_WEB_TOKEN"  # noqa: S105 - the name of a variable

_NO_PASSWORD = ""  # or OpenSSL would ask for one in the terminal


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page is served. `port` 0 takes a free one; `names` are its names beside the address."""

    address: str = "127.0.0.1"
    port: int = 4210
    names: tuple[str, ...] = ()
    token_file: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def is_here(self) -> bool:
        """Whether only this machine can reach it."""
        if self.address == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False


def serve(board: Board, place: Place, *, title: str, actions: bool, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises `UsageError` before anything is asked of a host."""
    check_names(place)
    token = token_of(place)
    _check_certificate(place)
    sessions = Sessions(token or secrets.token_urlsafe(24)) if actions or not place.is_here or token else None
    with listening(place) as opened:
        port = opened.getsockname()[1]
        settings = Settings(
            title=title,
            cookie=f"remotejobs-{port}",  # a cookie is not of a port alone
            names=(place.address, *place.names, *(() if place.is_here else (socket.gethostname(), socket.getfqdn()))),
            addresses=not place.is_here,
            sessions=sessions,
            actions=actions,
            secure=bool(place.certificate),
            log=say,
        )
        server = Server(board, config_of(board, settings, place))
        board.start()
        try:
            _say_where(place, port, sessions, bool(token), actions, say)
            server.run(sockets=[opened])
        finally:
            board.stop()


class Server(uvicorn.Server):
    """Ends the streams first, which would never end by themselves."""

    tick = 0.5  # seconds between two checks whether it is to end

    def __init__(self, board: Board, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._board = board

    async def main_loop(self) -> None:
        """As uvicorn's own, which checks ten times a second whether it is to end: that costs more than a quiet page."""
        while not await self.on_tick(0):
            await asyncio.sleep(self.tick)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._board.stop()
        super().handle_exit(sig, frame)


def config_of(board: Board, settings: Settings, place: Place) -> uvicorn.Config:
    return uvicorn.Config(
        application(board, settings),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        ssl_certfile=place.certificate or None,
        ssl_keyfile=place.key or None,
    )


def listening(place: Place) -> socket.socket:
    """The socket that it is served on. Raises `UsageError`."""
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    try:
        return socket.create_server((place.address, place.port), family=family)
    except (OSError, OverflowError) as exc:
        why = os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else exc
        remedy = "Choose another with --port, or 0 for a free one; --listen takes an address of this machine."
        raise UsageError(f"the page cannot be at {place.address} port {place.port}: {why}", remedy=remedy) from exc


def check_names(place: Place) -> None:
    """Raises `UsageError` for a name that no browser could ask for, and for no address."""
    for option, names in (("--listen", [place.address]), ("--name", place.names)):
        for name in names:
            if hostname(f"[{name}]" if ":" in name else name) != name.lower() or not name:
                remedy = "Give the name or the address alone, as jobs.example."
                raise UsageError(f"{option} {name!r} is no name of a host", remedy=remedy)


def token_of(place: Place) -> str:
    """The token that a person chose, or ""."""
    given = os.environ.pop(TOKEN, "")  # jobs on this machine inherit the environment
    if not place.token_file:
        return _strong(given, f"${TOKEN}")
    path = Path(place.token_file)
    try:
        text, mode = path.read_text().strip(), path.stat().st_mode
    except (OSError, ValueError) as exc:
        raise UsageError(f"the token cannot be read from {path}: {exc}", remedy="Check the path.") from exc
    if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"others may read the token in {path}", remedy=f"chmod 600 {path}")
    if not text:
        raise UsageError(f"there is no token in {path}", remedy="Write one line into it: openssl rand -hex 24")
    return _strong(text, str(path))


def _check_certificate(place: Place) -> None:
    if not place.certificate:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(place.certificate, place.key or None, _NO_PASSWORD)
    except (OSError, ValueError) as exc:  # an SSLError is an OSError
        remedy = "It has to be a certificate in PEM, with its key, without a passphrase, in the same file or in --key."
        raise UsageError(f"the certificate {place.certificate} cannot be used: {exc}", remedy=remedy) from exc


def _strong(token: str, where: str) -> str:
    if token and len(token) < SHORTEST_TOKEN:
        remedy = f"Use at least {SHORTEST_TOKEN} random characters: openssl rand -hex 24"
        raise UsageError(f"the token in {where} is too short", remedy=remedy)
    return token


def _say_where(
    place: Place, port: int, sessions: Sessions | None, chosen: bool, actions: bool, say: Callable[[str], None]
) -> None:
    name = place.names[0] if place.names else place.address
    name = socket.gethostname() if name in ("0.0.0.0", "::") else name  # noqa: S104 - only compared
    url = f"{'https' if place.certificate else 'http'}://{f'[{name}]' if ':' in name else name}:{port}/"
    say(f"The live page is at {url}")
    if sessions:
        say(f"Log in, once and within ten minutes: {url}login?once={sessions.link()}")
    if sessions and chosen:
        say("Or log in with your token.")
    if not place.is_here and not place.certificate:
        say("Anyone on the network can read what it shows: use --certificate and --key, or a proxy with TLS.")
    say("It can end jobs and run them again." if actions else "It is read-only: --allow-actions lets it end jobs.")
    say("Ctrl-C ends it; jobs go on.")
