"""The SSH way to a host: one session, opened on first use, shared by threads, opened again when it was lost."""

from __future__ import annotations

import remotejobs.workarounds.paramiko  # noqa: F401 - first: it decides how paramiko is imported

# isort: split
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from remotejobs.connections.base import Become, Reply
from remotejobs.connections.exchange import Exchange
from remotejobs.connections.ssh.backoff import ask_until_answered
from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.connections.ssh.transport.channel import run_exchange
from remotejobs.connections.ssh.transport.session import Session, open_session
from remotejobs.errors import TimedOut

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
        self._session: Session | None = None
        self._opening = threading.Lock()
        self._sessions = threading.BoundedSemaphore(SESSIONS)

    def ask(self, script: bytes, *, end: bytes, become: Become | None, timeout: float, max_bytes: int) -> Reply:
        """See `remotejobs.connections.base.Connection.ask`. `timeout` begins anew when the script is sent again."""
        exchange = partial(Exchange, self.host, script, end=end, become=become, max_bytes=max_bytes)
        return ask_until_answered(partial(self._ask_once, timeout=timeout), exchange, become, self._retry_for)

    def close(self) -> None:
        """Close the session; a later `ask` opens another."""
        with self._opening:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _ask_once(self, command: str, exchange: Exchange, timeout: float) -> Reply:
        with self._sessions:
            session = self._open()
            try:
                return run_exchange(session.transport, command, exchange, host=self.host, timeout=timeout)
            except TimedOut:
                # Nothing may come over this session any more; other threads that use it will ask again.
                self._drop(session)
                raise

    def _open(self) -> Session:
        """The open session; several threads wait for the one that opens it."""
        with self._opening:
            if self._session is not None and not self._session.is_open:
                self._session.close()
                self._session = None
            if self._session is None:
                with self._discreetly():
                    self._session = open_session(self._endpoint)
            return self._session

    def _drop(self, session: Session) -> None:
        with self._opening:
            if self._session is session:
                self._session = None
        session.close()
