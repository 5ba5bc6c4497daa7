"""nginx: servers are marked `down` in the file that has their upstream, and it is reloaded, over our own connection.

nginx has no state of a server that could be asked: what is known is its file, that no worker with another one takes
new requests, the connections of its host, and the workers from before that still have requests to finish.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from remotejobs.agent.shell import Shell, text_of
from remotejobs.errors import HostError, HostRefused, ProtocolError, Unreachable
from remotejobs.inventory.variables import HostLike
from remotejobs.operations.balancers.balancer import BalancerSettings, BalancerStatus, LoadBalancer, Reach
from remotejobs.operations.balancers.nginx_file import UpstreamServer, marked, upstream_servers
from remotejobs.operations.balancers.pool import Pool, PoolServer
from remotejobs.operations.balancers.standing import READY, Place, Standing
from remotejobs.operations.placeholders import filled
from remotejobs.worded import PLAIN_PATH

DOWN = "down"
_AGAIN = 5  # times, where others change the file at the same moment

# By the exit codes of nginx.sh. An nginx that is not there may come back, as when it starts anew.
_NOT_THERE, _CHANGED = 3, 9
_REMEDIES = {
    4: "Install it there: apt-get install procps util-linux",
    5: "nginx has to be commanded as the user that started it: set ansible_become for the balancer's host.",
    6: "Set file to the one that has the upstream.",
    7: "Correct the configuration; `nginx -t` and nginx's error log say more.",
    _CHANGED: "Let nothing else change the file while an update runs.",
}


class NginxNotThere(Unreachable):
    """nginx may be starting anew; otherwise check pid_file, and that it runs there."""


class NginxBalancer(BalancerSettings):
    """nginx: servers are marked down in the file of their upstream, and nginx is reloaded."""

    hosts: tuple[str, ...] = Field(
        default=(), description="Hosts of the inventory where nginx runs; with a pair, both are changed."
    )
    file: Annotated[str, PLAIN_PATH] = Field(
        default="/etc/nginx/conf.d/upstream.conf",
        description="The file there that has the upstream. Nothing but the word down is changed in it.",
    )
    upstream: str = Field(default="", description="Name of the upstream; empty: every one in the file with the server.")
    server: str = Field(
        default="", description="How the file writes the server of a host: {ansible_host}:{app_port}, {host}:8080"
    )
    command: str = Field(
        default="nginx", min_length=1, description="How nginx is called there: nginx -c /srv/nginx.conf"
    )
    pid_file: Annotated[str, PLAIN_PATH] = Field(
        default="/run/nginx.pid", description="Where it writes its process id."
    )

    @classmethod
    def required(cls) -> tuple[str, ...]:
        return "hosts", "server"

    def open(self, reach: Reach) -> LoadBalancer:
        return _Nginx(self, [reach.shell(host) for host in self.hosts])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one nginx is seen to have. `connections` are those of its host to a server, None unknown."""

    checksum: str
    connections: int | None
    leaving: int
    text: str
    servers: tuple[UpstreamServer, ...]


class _Nginx:
    def __init__(self, settings: NginxBalancer, shells: list[Shell]) -> None:
        self._settings = settings
        self._shells = shells

    def check(self) -> None:
        for shell in self._shells:
            self._ask(shell, "rj_nginx_check", self._settings.file, self._settings.pid_file, *self._command)
            if not self._read(shell).servers:
                name = self._settings.upstream
                raise HostRefused(
                    shell.host,
                    f"{self._settings.file} has no upstream {name}"
                    if name
                    else f"{self._settings.file} has no upstream",
                    remedy=_REMEDIES[6],
                )

    def take_out(self, host: HostLike) -> None:
        self._mark(host, _always(down=True))

    def put_in(self, host: HostLike) -> None:
        self._mark(host, _always(down=False))

    def put_back(self, host: HostLike, found: Standing | None = None) -> None:
        self._mark(host, lambda name, _: found is not None and found.place(name).state != READY)

    def status(self, host: HostLike) -> BalancerStatus:
        seen = {shell: self._read(shell, host) for shell in self._shells}
        own = {shell: self._own(shell, there, host) for shell, there in seen.items()}
        down = [server.down for servers in own.values() for server in servers]
        # A worker from before a reload may still open a connection for a request that it reads, so it counts as one.
        counts = [None if each.connections is None else each.connections + each.leaving for each in seen.values()]
        return BalancerStatus(
            inside=not all(down),
            partly=any(down) and not all(down),
            connections=None if None in counts else sum(filter(None, counts)),
            standing=Standing(
                tuple(
                    Place(self._name(shell, server), DOWN if server.down else READY)
                    for shell, servers in own.items()
                    for server in servers
                )
            ),
        )

    def pools(self, host: HostLike, known: Sequence[HostLike]) -> tuple[Pool, ...] | None:
        named = {filled(self._settings.server, each): each.name for each in known}
        pools: list[Pool] = []
        for shell in self._shells:
            seen = self._read(shell)
            own = {server.path for server in self._own(shell, seen, host)}
            upstreams = {path.partition("/")[0] for path in own}
            others = [each for each in seen.servers if each.upstream in upstreams and each.path not in own]
            # nginx does not report of a server whether it serves; of one that nobody else checks this much is seen.
            unknown = {each.address for each in others if not each.down and each.address not in named}
            refusing = self._ask(shell, "rj_refusing", *sorted(unknown)).split() if unknown else []
            for upstream in sorted(upstreams):
                servers = tuple(_in_pool(each, named, refusing) for each in others if each.upstream == upstream)
                pools.append(Pool(name=f"{upstream} on {shell.host}", others=servers))
        return tuple(pools)

    def _mark(self, host: HostLike, down: Callable[[str, UpstreamServer], bool]) -> None:
        """Every nginx is changed, also when another one fails; the first failure is raised then."""
        failures: list[HostError] = []
        for shell in self._shells:
            try:
                self._mark_in(shell, host, down)
            except HostError as exc:
                failures.append(exc)
        if failures:
            raise failures[0]

    def _mark_in(self, shell: Shell, host: HostLike, down: Callable[[str, UpstreamServer], bool]) -> None:
        """Also what is marked already is loaded: that the file has the mark does not show that nginx has read it."""
        for left in reversed(range(_AGAIN)):
            seen = self._read(shell)
            own = self._own(shell, seen, host)
            text = marked(seen.text, own, lambda server: down(self._name(shell, server), server))
            where = self._settings.file, self._settings.pid_file
            try:
                self._ask(shell, "rj_nginx_replace", *where, seen.checksum, text, *self._command)
            except _ChangedMeanwhile:
                if not left:
                    raise
            else:
                return

    def _read(self, shell: Shell, host: HostLike | None = None) -> _Seen:
        address = filled(self._settings.server, host) if host else ""
        said = self._ask(shell, "rj_nginx_read", self._settings.file, self._settings.pid_file, address)
        try:
            checksum, connections, leaving, text = said.removesuffix(".\n").split("\n", 3)
            seen = _Seen(
                checksum=checksum,
                connections=None if connections == "?" else int(connections),
                leaving=int(leaving),
                text=text,
                servers=tuple(
                    each for each in upstream_servers(text) if self._settings.upstream in ("", each.upstream)
                ),
            )
        except ValueError as exc:
            raise ProtocolError(shell.host, f"what it says of nginx is not understood: {said[:200]!r}") from exc
        if "\N{REPLACEMENT CHARACTER}" in text:  # it would be written back so
            raise HostRefused(shell.host, f"{self._settings.file} is not UTF-8", remedy="Convert it: iconv -t utf-8")
        return seen

    def _own(self, shell: Shell, seen: _Seen, host: HostLike) -> tuple[UpstreamServer, ...]:
        address = filled(self._settings.server, host)
        if own := tuple(server for server in seen.servers if server.address == address):
            return own
        known = ", ".join(server.path for server in seen.servers)
        raise HostRefused(
            shell.host,
            f"{self._settings.file} has no server {address}",
            remedy=f"Set server, upstream and file so that they name one of: {known}.",
        )

    @property
    def _command(self) -> list[str]:
        return shlex.split(self._settings.command)

    def _name(self, shell: Shell, server: UpstreamServer) -> str:
        return f"{shell.host}:{server.path}" if len(self._shells) > 1 else server.path

    def _ask(self, shell: Shell, *words: str) -> str:
        said = shell.run(f"{text_of('remotejobs.operations.balancers', 'nginx.sh')}\n{shlex.join(words)}")
        if said.rc == _CHANGED:
            raise _ChangedMeanwhile(shell.host, f"nginx: {said.output}", remedy=_REMEDIES[_CHANGED])
        if said.rc:
            kind = NginxNotThere if said.rc == _NOT_THERE else HostRefused
            message = f"nginx: {said.output.strip() or f'exit code {said.rc}'}"
            raise kind(shell.host, message, remedy=_REMEDIES.get(said.rc))
        return said.output


def _always(*, down: bool) -> Callable[[str, UpstreamServer], bool]:
    return lambda _, __: down


class _ChangedMeanwhile(HostRefused):
    """Let nothing else change the file while an update runs."""


def _in_pool(server: UpstreamServer, named: dict[str, str], refusing: Sequence[str]) -> PoolServer:
    why = DOWN if server.down else "accepts no connection" if server.address in refusing else ""
    return PoolServer(
        name=server.address,
        host=named.get(server.address, ""),
        share=0 if why else 1,
        backup=server.backup,
        why=why,
        out=server.down,
    )
