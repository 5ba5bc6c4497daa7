"""HAProxy, by the runtime API of its admin socket, over our own connection to the balancer's host."""

from __future__ import annotations

import shlex
from typing import Literal

from pydantic import Field

from remotejobs.agent.functions import text_of
from remotejobs.agent.shell import Shell
from remotejobs.errors import HostError, HostRefused, ProtocolError, Unreachable
from remotejobs.inventory.variables import HostLike
from remotejobs.operations.balancers.balancer import BalancerSettings, BalancerStatus, LoadBalancer, Reach
from remotejobs.operations.balancers.haproxy_words import QUERY, HaproxyServer, chosen, parse, set_state, status_of
from remotejobs.operations.placeholders import filled

_NO_TOOL = 4  # the exit code of admin_socket.sh when there is no program to talk to the socket with
_REMEDIES = {
    3: "Set socket to the path that haproxy.cfg names after `stats socket`.",
    _NO_TOOL: "Install one of them there: apt-get install socat",
}
_LEVEL = "The line `stats socket` of haproxy.cfg must end with `level admin`, and the user there must be let in."


class NoAnswer(Unreachable):
    """HAProxy may be starting anew; otherwise check its socket there, and whether the user is let in."""


class HaproxyBalancer(BalancerSettings):
    """HAProxy: servers are drained and made ready again; a reload in between is noticed."""

    hosts: tuple[str, ...] = Field(
        default=(), description="Hosts of the inventory where HAProxy runs; with a pair, both get the commands."
    )
    socket: str = Field(
        default="/run/haproxy/admin.sock",
        pattern=r"^/[A-Za-z0-9._/@+-]+$",
        description="Its admin socket there.",
    )
    backend: str = Field(default="", description="Name of the backend; empty: every one that has the server.")
    server: str = Field(default="{host}", description="What HAProxy calls the server of a host: {host}, app-{host}")

    @classmethod
    def required(cls) -> tuple[str, ...]:
        return ("hosts",)

    def open(self, reach: Reach) -> LoadBalancer:
        return _Haproxy(self, [reach.shell(host) for host in self.hosts])


class _Haproxy:
    def __init__(self, settings: HaproxyBalancer, shells: list[Shell]) -> None:
        self._settings = settings
        self._shells = shells

    def take_out(self, host: HostLike) -> None:
        self._set(host, "drain")

    def put_back(self, host: HostLike) -> None:
        self._set(host, "ready")

    def status(self, host: HostLike) -> BalancerStatus:
        return status_of([server for shell in self._shells for server in self._servers(shell, host)])

    def _set(self, host: HostLike, state: Literal["drain", "ready"]) -> None:
        """Every HAProxy gets the line, also when another one fails; the first failure is raised then."""
        failures: list[HostError] = []
        for shell in self._shells:
            try:
                self._set_on(shell, host, state)
            except HostError as exc:
                failures.append(exc)
        if failures:
            raise failures[0]

    def _set_on(self, shell: Shell, host: HostLike, state: Literal["drain", "ready"]) -> None:
        answer = _say(shell, self._settings.socket, set_state(self._servers(shell, host), state))
        if answer.strip():
            raise HostRefused(
                shell.host, f"HAProxy did not set {host.name} to {state}: {answer.strip()}", remedy=_LEVEL
            )

    def _servers(self, shell: Shell, host: HostLike) -> tuple[HaproxyServer, ...]:
        name, backend = filled(self._settings.server, host), self._settings.backend
        try:
            there = parse(_say(shell, self._settings.socket, QUERY))
        except ValueError as exc:
            raise ProtocolError(shell.host, f"HAProxy's answer is not understood: {exc}") from exc
        if not (found := chosen(there, name, backend)):
            known = ", ".join(sorted(f"{server.backend}/{server.name}" for server in there))
            raise HostRefused(
                shell.host,
                f"HAProxy has no server {f'{backend}/{name}' if backend else name}",
                remedy=f"Set server and backend so that they name one of: {known}.",
            )
        return found


def question(socket: str, line: str) -> str:
    """The shell text that says `line` to `socket`."""
    text = text_of("remotejobs.operations.balancers", "admin_socket.sh")
    return f"set -- {shlex.quote(socket)} {shlex.quote(line)}\n{text}"


def _say(shell: Shell, socket: str, line: str) -> str:
    said = shell.run(question(socket, line))
    if said.rc:
        message = f"HAProxy's socket {socket} cannot be asked: {said.output.strip() or f'exit code {said.rc}'}"
        kind = HostRefused if said.rc == _NO_TOOL else NoAnswer
        raise kind(shell.host, message, remedy=_REMEDIES.get(said.rc))
    return said.output
