"""An exchange over one channel: both streams drained together, and never without an end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from paramiko import Channel
from paramiko.ssh_exception import ChannelException, SSHException

from remotejobs.connections.base import Reply, do_nothing
from remotejobs.connections.exchange import Exchange
from remotejobs.connections.ssh.transport.quick import QuickTransport
from remotejobs.errors import ConnectionLost, TimedOut
from remotejobs.workarounds.paramiko.exec_request import request_exec
from remotejobs.workarounds.paramiko.wake_on_input import Wake, wake_on_input

CHUNK = 64 * 1024
WINDOW_CHECK = 0.05
DYING = 1.0


def open_shell(transport: QuickTransport, command: str, *, host: str, timeout: float, eager: bool) -> RemoteShell:
    """`command` in a session of its own; `eager`: if it is the first there, wait for no consent.

    `TimedOut` after `timeout` seconds; `ConnectionLost` when the connection ended, or refused one more session.
    """
    deadline = time.monotonic() + timeout
    try:
        running = transport.open_session_with(command, timeout) if eager else None
        channel = running or transport.open_session(timeout=timeout)
    except ChannelException as exc:
        message = f"sshd refused one more session on this connection ({exc.text})"
        raise ConnectionLost(host, message, remedy="Ask for fewer things at a time, or raise MaxSessions.") from exc
    except (SSHException, EOFError, OSError) as exc:
        if transport.is_active() and time.monotonic() >= deadline:
            raise TimedOut(host, f"no session within {timeout:g} s") from exc
        raise ConnectionLost(host, "the connection ended when a session was asked for") from exc
    return RemoteShell(transport, channel, "" if running else command, host)


class RemoteShell:
    """A session in which a shell reads what it is sent; `command` is what is still to be run there."""

    def __init__(self, transport: QuickTransport, channel: Channel, command: str, host: str) -> None:
        self._transport = transport
        self._channel = channel
        self._command = command
        self._host = host

    @property
    def is_open(self) -> bool:
        """As far as is known here."""
        return self._transport.is_active() and not self._channel.closed and not self._channel.eof_received

    def ask(
        self,
        exchange: Exchange,
        timeout: float,
        deadline: float,
        *,
        last: bool,
        on_input: Callable[[], None] = do_nothing,
    ) -> ChannelExchange:
        """Begin an exchange, and return once all is sent; after the `last` the shell is to see the end.

        `timeout` is the seconds that end at the `deadline`. `on_input` is called whenever something has come.
        Raises what `open_shell` does.
        """
        command, self._command = self._command, ""
        under_way = ChannelExchange(
            self._transport, self._channel, exchange, self._host, timeout, deadline, last=last, on_input=on_input
        )
        under_way.begin(command)
        return under_way

    def close(self) -> None:
        close_quietly(self._channel)


def close_quietly(thing: Channel | QuickTransport) -> None:
    """Close what may be dead already: a channel says goodbye over a connection that can be gone."""
    with contextlib.suppress(SSHException, EOFError, OSError):
        thing.close()


class ChannelExchange:
    """One exchange under way. Its methods raise what `open_shell` does.

    What the script said on stderr just before the end mark may still be on its way then, and is not waited for.
    """

    def __init__(
        self,
        transport: QuickTransport,
        channel: Channel,
        exchange: Exchange,
        host: str,
        timeout: float,
        deadline: float,
        *,
        last: bool,
        on_input: Callable[[], None],
    ) -> None:
        self._timeout = timeout
        self._deadline = deadline
        self._last = last
        self._transport = transport
        self._channel = channel
        self._exchange = exchange
        self._host = host
        self._unsent = exchange.opening()
        self._wake = Wake(on_input)
        self._heard = False
        self._over = False

    def begin(self, command: str) -> None:
        """Send what there is to send; `command` is what is still to be run."""
        with self._translated():
            wake_on_input(self._channel, self._wake)
            if command:
                request_exec(self._transport, self._channel, command)
            self._send_first()
            while not self._step() and not self._all_sent:
                self._rest()

    def is_over(self) -> bool:
        """Take what has come. Whether nothing more comes, so that `reply` does not wait."""
        with self._translated():
            return self._over or self._step()

    def await_milestone(self) -> None:
        """Return once it was read, or else when nothing more comes."""
        while not self.is_over() and not self._exchange.passed:
            self._rest()

    def reply(self) -> Reply:
        """The answer, once it is there."""
        while not self.is_over():
            self._rest()
        with self._translated():
            return self._exchange.reply()

    @property
    def _all_sent(self) -> bool:
        return not self._unsent and self._exchange.said_all

    def _step(self) -> bool:
        """Send what may be sent and take what has come; whether it is over."""
        channel = self._channel
        drained = True
        while drained and not self._exchange.ended:
            self._wake.clear()
            # Read before draining, so that what came before the end is not lost.
            closed = bool(channel.closed or channel.eof_received)
            self._send()
            drained = self._drain()
            if closed and not drained:
                self._check_end()
                self._over = True
                return True
            # Also where something still comes: a host that never stops talking must not hold us for ever.
            if time.monotonic() >= self._deadline and not self._exchange.ended:
                raise TimedOut(self._host, f"no complete answer within {self._timeout:g} s")
        self._over = self._exchange.ended
        return self._over

    def _rest(self) -> None:
        """Until more comes, or may be sent."""
        remaining = max(0.0, self._deadline - time.monotonic())
        self._wake.wait(min(remaining, WINDOW_CHECK) if self._unsent else remaining)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SSHException, EOFError, OSError) as exc:
            raise ConnectionLost(self._host, f"the connection ended while something was sent ({exc!r})") from exc

    def _drain(self) -> bool:
        """Take what is there of both streams; whether there was something."""
        channel, something = self._channel, False
        if channel.recv_ready():
            self._unsent += self._exchange.take_stdout(channel.recv(CHUNK))
            something = True
        if channel.recv_stderr_ready():
            self._exchange.take_stderr(channel.recv_stderr(CHUNK))
            something = True
        self._heard = self._heard or something
        return something

    def _send_first(self) -> None:
        """Wait for sshd to open the window, which it does when the command runs; only send() shows it."""
        self._channel.settimeout(max(0.0, self._deadline - time.monotonic()))
        try:
            self._unsent = self._unsent[self._channel.send(self._unsent) :]
        except TimeoutError as exc:
            raise TimedOut(self._host, f"sshd did not run the shell within {self._timeout:g} s") from exc
        except OSError:
            # Refused, or closed over there: what it had to say is read as usual.
            self._unsent = b""
        self._channel.settimeout(0.0)

    def _send(self) -> None:
        """Send what the window allows, and after the last byte the end of the stream."""
        channel = self._channel
        while self._unsent and channel.send_ready():
            try:
                self._unsent = self._unsent[channel.send(self._unsent) :]
            except OSError:
                # Closed over there: what it had to say is read as usual.
                self._unsent = b""
        if self._last and not self._unsent and self._exchange.said_all and not channel.eof_sent:
            channel.shutdown_write()

    def _check_end(self) -> None:
        """Whether the answer ended or the connection did: the latter closes channels before it is inactive.

        dropbear 2022.83 ended 6 of 400 sessions at once, one following the other: no word, no exit code.
        """
        if not self._channel.eof_received:
            self._transport.join(DYING)
        if not self._transport.is_active():
            raise ConnectionLost(self._host, "the connection ended in the middle of the answer")
        if not self._heard and not (self._channel.status_event.wait(DYING) and self._channel.exit_status >= 0):
            raise ConnectionLost(self._host, "the server closed the session before the shell said anything")
