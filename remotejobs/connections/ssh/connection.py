"""The SSH way to a host: one link, opened on first use, shared by threads, opened again when it was lost."""

from __future__ import annotations

import remotejobs.workarounds.paramiko  # noqa: F401 - first: it decides how paramiko is imported

# isort: split
import shlex
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from remotejobs.connections.base import Become, Reply
from remotejobs.connections.become import sudo_words
from remotejobs.connections.exchange import Exchange
from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.connections.ssh.patience import Patience
from remotejobs.connections.ssh.transport.link import Link, open_link
from remotejobs.connections.ssh.transport.talk import talk
from remotejobs.errors import ConnectionLost, TimedOut

# sshd allows ten sessions on a connection (MaxSessions), and one that has just ended counts for a moment yet.
SESSIONS = 8


class SshConnection:
    """Implements `remotejobs.connections.base.Connection` for one endpoint.

    A connection that is refused in a burst, or lost, is tried again for `retry_for` seconds after the first
    failure. What does not pass by itself (nothing listens, unknown name, login, host key) is raised at once.
    Errors of a login come out of `discreetly`, which may hide some of their words.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        retry_for: float,
        discreetly: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.host = endpoint.host
        self._discreetly = discreetly
        self._endpoint = endpoint
        self._retry_for = retry_for
        self._link: Link | None = None
        self._opening = threading.Lock()
        self._sessions = threading.BoundedSemaphore(SESSIONS)

    def ask(self, script: bytes, *, end: bytes, become: Become | None, timeout: float, max_bytes: int) -> Reply:
        """See `remotejobs.connections.base.Connection.ask`. `timeout` begins anew when the script is sent again."""
        command = "exec sh -s" if become is None else shlex.join(sudo_words(become))
        patience = Patience(self._retry_for)
        while True:
            exchange = Exchange(self.host, script, end=end, become=become, max_bytes=max_bytes)
            try:
                return self._ask_once(command, exchange, timeout)
            except ConnectionLost as lost:
                patience.wait_or_raise(lost)

    def close(self) -> None:
        """Close the link; a later `ask` opens another."""
        with self._opening:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _ask_once(self, command: str, exchange: Exchange, timeout: float) -> Reply:
        with self._sessions:
            link = self._open()
            try:
                return talk(link.transport, command, exchange, host=self.host, timeout=timeout)
            except TimedOut:
                # Nothing may come of this link any more; those who are still asking over it will ask again.
                self._drop(link)
                raise

    def _open(self) -> Link:
        """The open link; several threads wait for the one that opens it."""
        with self._opening:
            if self._link is not None and not self._link.is_open:
                self._link.close()
                self._link = None
            if self._link is None:
                with self._discreetly():
                    self._link = open_link(self._endpoint)
            return self._link

    def _drop(self, link: Link) -> None:
        with self._opening:
            if self._link is link:
                self._link = None
        link.close()
