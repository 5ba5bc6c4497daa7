"""A TCP proxy on loopback that can cut, stall and refuse, to see what a client makes of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """`with Proxy(port) as proxy:` forwards 127.0.0.1:`proxy.port` to 127.0.0.1:`port`.

    `accepted` counts the connections that were let through, `refused` those closed before the first byte.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.accepted = 0
        self.refused = 0
        self._to_refuse = 0
        self._words = b""
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._links: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # accept() does not notice that its socket was closed, but it notices a shutdown.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.resume()
        self.cut()

    def cut(self) -> None:
        """Close every connection now under way."""
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            _end(link)

    def stall(self) -> None:
        """Keep the connections open and forward nothing, as a network that swallows packets does."""
        self._flowing.clear()

    def resume(self) -> None:
        """Forward again, with what waited."""
        self._flowing.set()

    def refuse(self, count: int, words: bytes = b"") -> None:
        """Close the next `count` connections with nothing but `words`, as a full sshd does (MaxStartups)."""
        with self._lock:
            self._to_refuse = count
            self._words = words

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses():
                self._turn_away(client)
            else:
                self._join(client)

    def _refuses(self) -> bool:
        with self._lock:
            if not self._to_refuse:
                return False
            self._to_refuse -= 1
            self.refused += 1
            return True

    def _turn_away(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._words:
                client.sendall(self._words)
                client.shutdown(socket.SHUT_WR)
                # What was not read when it is closed would take our words with it.
                client.settimeout(5)
                while client.recv(4096):
                    pass
        _end(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            return _end(client)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self.accepted += 1
            self._links |= {client, server}  # from here on, they may be cut at any moment
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
        for link in (source, sink):
            _end(link)
            with self._lock:
                self._links.discard(link)


def _end(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
