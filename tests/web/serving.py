"""The live page, served in this process: for simulated hosts, and for what else a test gives it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from remotejobs.connections.base import Connection
from remotejobs.inventory import load_inventory
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.fleet import Fleet
from remotejobs.operations.flow_runs import FlowRuns
from remotejobs.testing import FakeHosts
from remotejobs.web.app import Settings
from remotejobs.web.board import Board
from remotejobs.web.guard import Sessions
from remotejobs.web.live_fleet import LiveFleet
from remotejobs.web.serve import Place, Server, config_of, listening
from remotejobs.web.upkeep import Upkeep

TOKEN = "a-token-that-nobody-guesses"
COOKIE = "session"


@dataclass
class Served:
    """A page that is served, and the hosts behind it."""

    port: int
    board: Board
    sessions: Sessions | None
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """An address that logs in."""
        assert self.sessions
        return f"{self.url}/login?once={self.sessions.link()}"

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, **fields: str | list[str]
    ) -> http.client.HTTPResponse:
        """The answer to one request, as any program makes it; its body is read later."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        connection.request(method, path, urlencode(fields, doseq=True) if method == "POST" else None, given)
        return connection.getresponse()

    def stream(self, path: str, **headers: str) -> Stream:
        """What it sends from now on."""
        answer = self.ask(path, headers=headers)
        assert answer.status == 200, answer.read()
        return Stream(answer)


class Stream:
    """Server-sent events, read one by one."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._answer = answer
        self.names: list[str] = []

    def until(self, wanted: Callable[[str, Any], bool]) -> Any:
        """The data of the first event that is wanted."""
        name = ""
        for line in self._answer:
            word, _, rest = line.decode().rstrip("\n").partition(": ")
            if word == "event":
                name = rest
                self.names.append(name)
            elif word == "data" and wanted(name, data := json.loads(rest)):
                return data
        raise AssertionError(f"it ended with {self.names[-3:]}")

    def named(self, name: str) -> Any:
        return self.until(lambda kind, _: kind == name)


@contextmanager
def served(
    fake: FakeHosts,
    hosts: str,
    *,
    actions: bool = False,
    login: bool = False,
    prefect: Mapping[str, str] | None = None,
    poll: float = 1.0,
    since: float = 86400.0,
    connect: Callable[[HostLike], Connection] | None = None,
) -> Iterator[Served]:
    """The page of `hosts`, a list or a pattern of simulated hosts."""
    log: list[str] = []
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(load_inventory(hosts).select("all"), connect=connect or fake.connect))
        upkeep = Upkeep(fleet, "/var/backups/remotejobs")
        live = LiveFleet(fleet, upkeep, jobs="*", since=since, poll=poll)
        board = Board(live, FlowRuns(prefect or {}), lambda *words: " ".join(["remotejobs", *words]))
        sessions = Sessions(TOKEN) if login or actions else None
        settings = Settings("all", COOKIE, sessions=sessions, actions=actions, log=log.append)
        place = stack.enter_context(listening(Place(port=0)))
        server = Server(board, config_of(board, settings, Place()))
        server.tick = 0.02
        thread = threading.Thread(target=lambda: server.run(sockets=[place]))
        board.start()
        thread.start()
        try:
            yield Served(place.getsockname()[1], board, sessions, log)
        finally:
            board.stop()
            server.should_exit = True
            thread.join()
