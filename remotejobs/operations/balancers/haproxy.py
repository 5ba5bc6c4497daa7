"""HAProxy, by the runtime API of its admin socket, over our own connection to the balancer's host."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field

from remotejobs.agent.shell import Shell, text_of
from remotejobs.errors import HostError, HostRefused, ProtocolError, Unreachable
from remotejobs.inventory.variables import HostLike
from remotejobs.operations.balancers.balancer import BalancerSettings, BalancerStatus, LoadBalancer, Reach
from remotejobs.operations.balancers.haproxy_words import (
    QUERY,
    HaproxyServer,
    chosen,
    draining,
    parse,
    pools_of,
    readying,
    restoring,
    status_of,
)
from remotejobs.operations.balancers.pool import Pool
from remotejobs.operations.balancers.standing import Standing
from remotejobs.operations.placeholders import filled
from remotejobs.worded import PLAIN_PATH

# By the exit codes of admin_socket.sh. A socket that is not there may come back, as when HAProxy starts anew.
_NOT_THERE = 3
_REMEDIES = {
    _NOT_THERE: "Set socket to the path that haproxy.cfg names after `stats socket`.",
    4: "Install one of them there: apt-get install socat",
    5: "Let the user in (`stats socket ... mode 660 group GROUP`), or set ansible_become for the balancer's host.",
    6: "Set socket to the path that haproxy.cfg names after `stats socket`.",
}
_LEVEL = "The line `stats socket` of haproxy.cfg must end with `level admin`, and the user there must be let in."


class NoAnswer(Unreachable):
    """HAProxy may be starting anew; otherwise check its socket there, and whether the user is let in."""


class HaproxyBalancer(BalancerSettings):
    """HAProxy: servers are drained and made ready again; a reload in between is noticed."""

    hosts: tuple[str, ...] = Field(
        default=(), description="Hosts of the inventory where HAProxy runs; with a pair, both get the commands."
    )
    socket: Annotated[str, PLAIN_PATH] = Field(default="/run/haproxy/admin.sock", description="Its admin socket there.")
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

    def check(self) -> None:
        for shell in self._shells:
            level = _say(shell, self._settings.socket, "show cli level").strip()
            if level in ("user", "operator"):  # older ones do not know the question
                raise HostRefused(
                    shell.host,
                    f"HAProxy's socket {self._settings.socket} has the level {level}, which may not set servers",
                    remedy=_LEVEL,
                )
            self._all(shell)

    def take_out(self, host: HostLike) -> None:
        self._set(host, lambda _, servers: draining(servers), "drained")

    def put_back(self, host: HostLike, found: Standing | None = None) -> None:
        self._set(
            host, lambda shell, servers: restoring(servers, found, self._prefix(shell)), "restored as it was found"
        )

    def put_in(self, host: HostLike) -> None:
        self._set(host, lambda _, servers: readying(servers), "put in")

    def status(self, host: HostLike) -> BalancerStatus:
        return status_of(
            [(self._prefix(shell), server) for shell in self._shells for server in self._servers(shell, host)]
        )

    def pools(self, host: HostLike, known: Sequence[HostLike]) -> tuple[Pool, ...] | None:
        named = {filled(self._settings.server, each): each.name for each in known}
        pools: list[Pool] = []
        for shell in self._shells:
            there = self._all(shell)
            pools += pools_of(there, self._chosen(there, shell, host), named, shell.host)
        return tuple(pools)

    def _prefix(self, shell: Shell) -> str:
        return f"{shell.host}:" if len(self._shells) > 1 else ""

    def _set(self, host: HostLike, line: Callable[[Shell, Sequence[HaproxyServer]], str], verb: str) -> None:
        """Every HAProxy gets its line, also when another one fails; the first failure is raised then."""
        failures: list[HostError] = []
        for shell in self._shells:
            try:
                if said := line(shell, self._servers(shell, host)):
                    self._command(shell, said, f"{host.name} was not {verb}")
            except HostError as exc:
                failures.append(exc)
        if failures:
            raise failures[0]

    def _command(self, shell: Shell, line: str, failed: str) -> None:
        answer = _say(shell, self._settings.socket, line).strip()
        if answer:
            raise HostRefused(shell.host, f"HAProxy: {failed}: {answer}", remedy=_LEVEL)

    def _servers(self, shell: Shell, host: HostLike) -> tuple[HaproxyServer, ...]:
        return self._chosen(self._all(shell), shell, host)

    def _all(self, shell: Shell) -> tuple[HaproxyServer, ...]:
        try:
            return parse(_say(shell, self._settings.socket, QUERY))
        except ValueError as exc:
            raise ProtocolError(shell.host, f"HAProxy's answer is not understood: {exc}") from exc

    def _chosen(self, there: Sequence[HaproxyServer], shell: Shell, host: HostLike) -> tuple[HaproxyServer, ...]:
        name, backend = filled(self._settings.server, host), self._settings.backend
        if not (found := chosen(there, name, backend)):
            known = ", ".join(sorted(server.path for server in there))
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
        kind = HostRefused if said.rc in _REMEDIES and said.rc != _NOT_THERE else NoAnswer
        raise kind(shell.host, message, remedy=_REMEDIES.get(said.rc))
    return said.output
