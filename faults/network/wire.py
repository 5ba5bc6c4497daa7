"""A network that misbehaves: what the lab's proxy does, and delays, resets and stalls."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from random import Random

from lab.proxy import Proxy

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing throws away what waits and sends RST


class BadWire(Proxy):
    """`with BadWire(port, chance) as wire:`; what is set on it counts from then on.

    `delay` is seconds that everything takes in each direction; `resets` is the part of new connections that are reset
    while the server speaks.
    """

    def __init__(self, target: int, chance: Random) -> None:
        super().__init__(target)
        self.delay = 0.0
        self.resets = 0.0
        self._chance = chance
        self._lost: set[socket.socket] = set()
        self._left: int | None = None

    def lose(self) -> None:
        """Forget the connections now under way without notice, as a firewall does: both ends stay open."""
        with self._lock:
            self._lost |= self._links

    def cut_within(self, size: int) -> None:
        """Cut the connection that brings the next `size` bytes of answers right behind them."""
        self._left = size

    @property
    def lost(self) -> int:
        """How many connections were forgotten."""
        return len(self._lost) // 2

    @property
    def is_to_cut(self) -> bool:
        """Whether what `cut_within` asked for has not happened yet."""
        return self._left is not None

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        answers = _port_of(source) == self.target
        last = self._chance.randrange(8000) if answers and self._chance.random() < self.resets else None
        line: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._deliver, args=(line, sink), daemon=True).start()
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                if source in self._lost:
                    continue
                if last is not None and (last := last - len(data)) < 0:
                    _reset(sink)
                    break
                over = answers and self._is_over(len(data))
                line.put((time.monotonic() + self.delay, data[: self._left] if over else data))
                if over:
                    self._left = None
                    break
        line.put((time.monotonic() + self.delay, b""))
        with self._lock:
            self._links.discard(source)

    def _is_over(self, size: int) -> bool:
        if self._left is None:
            return False
        if size >= self._left:
            return True
        self._left -= size
        return False

    def _deliver(self, line: queue.SimpleQueue[tuple[float, bytes]], sink: socket.socket) -> None:
        """Hand over each piece when it is due; the empty one ends the connection."""
        with contextlib.suppress(OSError):
            while True:
                due, data = line.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    break
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        sink.close()


def _port_of(link: socket.socket) -> int | None:
    """The port at its other end; None when it was cut just now."""
    with contextlib.suppress(OSError):
        return int(link.getpeername()[1])
    return None


def _reset(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    link.close()
