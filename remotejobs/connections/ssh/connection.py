"""The SSH way to a host: one session, opened on first use, shared by threads, opened again when it was lost."""

from __future__ import annotations

import remotejobs.workarounds.paramiko  # noqa: F401 - first: it decides how paramiko is imported

# isort: split
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace

from remotejobs.connections.base import Become, PendingReply, Question, Reply, Stay, do_nothing
from remotejobs.connections.exchange import Exchange
from remotejobs.connections.ssh.backoff import ask_until_answered, command_for
from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.connections.ssh.transport.channel import ChannelExchange, RemoteShell, open_shell
from remotejobs.connections.ssh.transport.session import Session, open_session
from remotejobs.errors import ConnectionLost, TimedOut, Unreachable


@dataclass(slots=True)
class _KeptShell:
    """A shell that stays, and gives its session back once."""

    remote: RemoteShell
    session: Session
    release: Callable[[], None]
    _open: bool = True

    def close(self) -> None:
        if self._open:
            self._open = False
            self.remote.close()
            self.release()


class _Asked:
    """A question to a kept shell, and its answer under way; with the shell ends what it was kept for."""

    under_way: ChannelExchange

    def __init__(self, connection: SshConnection, stay: Stay, kept: _KeptShell) -> None:
        self._connection = connection
        self._stay = stay
        self._kept = kept
        self.gone = False

    def is_there(self) -> bool:
        with self.ending_in_trouble():
            return self.under_way.is_over()
        return True

    def reply(self) -> Reply | None:
        if self.gone:
            return None
        with self.ending_in_trouble():
            reply = self.under_way.reply()
            if reply.complete:
                return reply
            self._stay.close()
        return None

    def close(self) -> None:
        """See `PendingReply.close`."""

    @contextmanager
    def ending_in_trouble(self) -> Iterator[None]:
        """A connection that is lost is no trouble of the caller's, who asks over another; see `gone`."""
        try:
            yield
        except ConnectionLost:
            self._stay.close()
            self.gone = True
        except TimedOut:
            self._stay.close()
            self._connection.drop(self._kept.session)
            raise
        except BaseException:
            self._stay.close()
            raise


class _UnderWay:
    """A question in a session of its own; `resources` are what it holds until the answer is there."""

    def __init__(
        self, connection: SshConnection, session: Session, exchange: ChannelExchange, resources: ExitStack
    ) -> None:
        self._connection = connection
        self._session = session
        self._exchange = exchange
        self._resources = resources

    def await_milestone(self) -> None:
        with self._ending_in_trouble():
            self._exchange.await_milestone()

    def is_there(self) -> bool:
        with self._ending_in_trouble():
            return self._exchange.is_over()

    def reply(self) -> Reply:
        with self._ending_in_trouble():
            reply = self._exchange.reply()
        self.close()
        return reply

    def close(self) -> None:
        """See `PendingReply.close`."""
        self._resources.close()

    @contextmanager
    def _ending_in_trouble(self) -> Iterator[None]:
        with self._connection.learning(self._session):
            try:
                yield
            except BaseException:
                self.close()
                raise


# sshd allows ten sessions on a connection (MaxSessions), and one that has just ended counts for a moment yet.
SESSIONS = 8
KEPT = 2  # of them, at most, for shells that stay: idle beside all waits that a host may have, they leave a kill one


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
        self._closes = 0
        self._eager = True
        self._opening = threading.Lock()  # held as long as a login takes
        self._changing = threading.Lock()  # held to look at the session or to replace it
        self._sessions = threading.BoundedSemaphore(SESSIONS)
        self._kept = threading.BoundedSemaphore(KEPT)

    def ask(self, question: Question) -> Reply:
        """See `remotejobs.connections.base.Connection.ask`. The timeout begins anew when the script is sent again."""

        def once(command: str, exchange: Exchange, timeout: float) -> Reply:
            return self._begin(command, exchange, timeout, do_nothing).reply()

        return ask_until_answered(once, self.host, question, self._retry_for)

    def ask_soon(self, question: Question, on_answer: Callable[[], None] = do_nothing) -> PendingReply:
        """See `remotejobs.connections.base.CallsBack.ask_soon`."""

        def once(command: str, exchange: Exchange, timeout: float) -> PendingReply:
            asked = self._begin(command, exchange, timeout, on_answer)
            asked.await_milestone()
            return asked

        return ask_until_answered(once, self.host, question, self._retry_for)

    def ask_staying(
        self, stay: Stay, question: Question, opening: Callable[[], bytes], on_answer: Callable[[], None] = do_nothing
    ) -> PendingReply | None:
        """See `remotejobs.connections.base.CallsBack.ask_staying`."""
        deadline = time.monotonic() + question.timeout
        kept = stay.shell if isinstance(stay.shell, _KeptShell) and stay.shell.remote.is_open else None
        if kept is None:
            stay.close()
            if (kept := self._keep_shell(question.become, question.timeout)) is None:
                return None
            stay.shell = kept
            sent = replace(question, script=opening())
        else:
            sent = replace(question, become=None)  # the shell that stays is that user's
        asked = _Asked(self, stay, kept)
        with asked.ending_in_trouble():
            exchange = Exchange(self.host, sent)
            asked.under_way = kept.remote.ask(exchange, question.timeout, deadline, last=False, on_input=on_answer)
        return None if asked.gone else asked

    def _keep_shell(self, become: Become | None, timeout: float) -> _KeptShell | None:
        """One more shell that stays, if there is a session for it, and one that is open."""
        session = self._session
        if session is None or not session.is_open or not self._kept.acquire(blocking=False):
            return None
        if not self._sessions.acquire(blocking=False):
            self._kept.release()
            return None
        try:
            command = command_for(become)
            remote = open_shell(session.transport, command, host=self.host, timeout=timeout, eager=False)
        except ConnectionLost:
            self._release_kept()
            return None
        except TimedOut:
            self._release_kept()
            self.drop(session)
            raise
        except BaseException:
            self._release_kept()
            raise
        return _KeptShell(remote, session, self._release_kept)

    def _release_kept(self) -> None:
        self._sessions.release()
        self._kept.release()

    def close(self) -> None:
        """Close the session; a later `ask` opens another.

        One that is being opened is not waited for, as its host may hang: whoever opens it closes it.
        """
        with self._changing:
            session, self._session = self._session, None
            self._closes += 1
        if session is not None:
            session.close()

    def _begin(self, command: str, exchange: Exchange, timeout: float, on_answer: Callable[[], None]) -> _UnderWay:
        deadline = time.monotonic() + timeout
        with ExitStack() as resources:
            self._sessions.acquire()
            resources.callback(self._sessions.release)
            session = self._open()
            with self.learning(session):
                remote = open_shell(session.transport, command, host=self.host, timeout=timeout, eager=self._eager)
                resources.callback(remote.close)
                under_way = remote.ask(exchange, timeout, deadline, last=True, on_input=on_answer)
            return _UnderWay(self, session, under_way, resources.pop_all())

    @contextmanager
    def learning(self, session: Session) -> Iterator[None]:
        """Go about it otherwise after an exchange over `session` that did not end well."""
        try:
            yield
        except ConnectionLost:
            self._eager = False  # it may have been that
            raise
        except TimedOut:
            # Nothing may come over this session any more; other threads that use it will ask again.
            self.drop(session)
            raise

    def _open(self) -> Session:
        """The open session; several threads wait for the one that opens it."""
        with self._opening:
            session, closes = self._session, self._closes
            if session is not None and session.is_open:
                return session
            if session is not None:
                self.drop(session)
            with self._discreetly():
                session = open_session(self._endpoint)
            with self._changing:
                if closes == self._closes:
                    self._session = session
                    return session
            session.close()
            # Not as one that was lost, which would be opened once more.
            raise Unreachable(self.host, "the connection was closed here while it was opened")

    def drop(self, session: Session) -> None:
        """Close a session over which nothing may come any more; the next `ask` opens another."""
        with self._changing:
            if self._session is session:
                self._session = None
        session.close()
