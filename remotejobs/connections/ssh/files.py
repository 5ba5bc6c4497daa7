"""Files of a host over SFTP, on a connection of its own: what else is asked of the host does not wait for them."""

from __future__ import annotations

import remotejobs.workarounds.paramiko  # noqa: F401 - first: it decides how paramiko is imported

# isort: split
import contextlib
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from paramiko import Channel, SFTPClient, SFTPFile
from paramiko.sftp import SFTPError
from paramiko.ssh_exception import SSHException

from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.connections.ssh.openssh import OpenSshConnection
from remotejobs.connections.ssh.transport.session import open_session
from remotejobs.errors import ConnectionLost, FileRefused
from remotejobs.workarounds.paramiko.read_ahead import CHUNK, ReadAhead

DYING = 0.2  # seconds
_CLOSED = ("Socket is closed", "Garbage packet received")
STALLS = 60.0  # seconds without an answer after which a connection counts as lost


@dataclass(frozen=True, slots=True)
class Sftp:
    """An open SFTP session, how to end what it goes over, and whether that still lives."""

    client: SFTPClient
    close: Callable[[], None]
    is_alive: Callable[[], bool]


def _opened(client: SFTPClient, path: str) -> SFTPFile:
    """To write to it, made where it is not there, and never emptied: another who sends the same may be at it."""
    with contextlib.suppress(FileNotFoundError):
        return client.open(path, "r+b")
    try:
        return client.open(path, "wbx")
    except OSError as refused:
        try:
            return client.open(path, "r+b")
        except OSError:
            raise refused from None


def over_paramiko(endpoint: Endpoint) -> Sftp:
    """A session on a connection of its own."""
    session = open_session(endpoint)

    def is_alive() -> bool:
        # Channels learn of the end before the transport is inactive.
        session.transport.join(DYING)
        return session.is_open

    try:
        client = SFTPClient.from_transport(session.transport)
    except (SSHException, EOFError) as exc:
        alive = is_alive()
        session.close()
        if alive:
            raise _no_server(endpoint.host) from exc
        raise
    except BaseException:
        session.close()
        raise
    assert client is not None  # only where a channel was refused, which raises
    return Sftp(client, session.close, is_alive)


class _Stream:
    """As much of a channel as SFTP needs, over a socket."""

    def __init__(self, stream: socket.socket) -> None:
        self.send = stream.send
        self.recv = stream.recv
        self.close = stream.close
        self.settimeout = stream.settimeout

    @staticmethod
    def get_name() -> str:
        return "ssh"


def over_openssh(connection: OpenSshConnection) -> Sftp:
    """A session of the system's ssh on `connection`, which is closed with it."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = connection.subsystem("sftp", theirs)
        except BaseException:
            ours.close()
            raise

    def close() -> None:
        ours.close()
        process.terminate()
        process.wait()
        connection.close()

    try:
        client = SFTPClient(cast("Channel", _Stream(ours)))
    except (SSHException, EOFError, ConnectionError) as exc:
        alive = connection.is_alive()
        close()
        if alive:
            raise _no_server(connection.host) from exc
        raise
    except BaseException:
        close()
        raise
    return Sftp(client, close, lambda: process.poll() is None)


def _no_server(host: str) -> FileRefused:
    """Where the connection lives on and the subsystem does not: dropbear brings none, and sshd may have none set."""
    remedy = "Install one (Debian: openssh-sftp-server), or set Subsystem sftp in sshd_config there."
    return FileRefused(host, "there is no SFTP server, by which files are moved", remedy=remedy)


class SshFiles:
    """Implements `remotejobs.operations.transfer.files.Files` for one host. Not for several threads at once."""

    def __init__(self, host: str, open_sftp: Callable[[], Sftp]) -> None:
        self.host = host
        self._open_sftp = open_sftp
        self._sftp: Sftp | None = None

    def absolute(self, path: str) -> str:
        """See `Files.absolute`."""
        with self._translated(path) as client:
            return path if path.startswith("/") else f"{client.normalize('.')}/{path.removeprefix('~/')}"

    def size(self, path: str) -> int | None:
        """See `Files.size`."""
        with self._translated(path) as client:
            try:
                found = client.stat(path)
            except FileNotFoundError:
                return None
            if not stat.S_ISREG(found.st_mode or 0):
                raise FileRefused(self.host, f"{path} is no regular file")
            return found.st_size or 0

    def append(self, path: str, read: Callable[[int], bytes], at: int, on_bytes: Callable[[int], None]) -> None:
        """See `Files.append`."""
        with self._translated(path) as client, _opened(client, path) as file:
            client.chmod(path, 0o600)
            file.settimeout(STALLS)
            file.set_pipelined(True)
            file.seek(at)
            while chunk := read(CHUNK):
                file.write(chunk)
                at += len(chunk)
                on_bytes(len(chunk))
            # The answers to pipelined writes are not read, and closing a lost connection raises nothing.
            if (written := client.stat(path).st_size or 0) < at:
                raise FileRefused(self.host, f"{path}: only {written} of {at} bytes could be written")
            if written > at:
                client.truncate(path, at)

    def fetch(
        self, path: str, write: Callable[[bytes], None], at: int, size: int, on_bytes: Callable[[int], None]
    ) -> None:
        """See `Files.fetch`."""
        with self._translated(path) as client, client.open(path, "rb") as file:
            file.settimeout(STALLS)
            if (client.stat(path).st_size or 0) < size:
                raise FileRefused(self.host, f"{path} became shorter than {size} bytes")
            for chunk in ReadAhead(client, file.handle).chunks(at, size):
                write(chunk)
                on_bytes(len(chunk))

    def close(self) -> None:
        """End the connection; a later use opens another."""
        sftp, self._sftp = self._sftp, None
        if sftp is not None:
            with contextlib.suppress(SSHException, EOFError, OSError):
                sftp.client.close()
            sftp.close()

    def _open(self) -> SFTPClient:
        if self._sftp is None:
            self._sftp = self._open_sftp()
        return self._sftp.client

    @contextmanager
    def _translated(self, path: str) -> Iterator[SFTPClient]:
        """paramiko's errors by their meaning. After a lost connection the next use begins with a new one."""
        try:
            yield self._open()
        except (SSHException, SFTPError, EOFError, TimeoutError) as exc:
            raise self._lost(exc) from exc
        except ConnectionError as exc:
            raise self._lost(exc) from exc
        except OSError as exc:
            if exc.errno is None and (str(exc) in _CLOSED or not self._is_alive()):
                raise self._lost(exc) from exc
            raise FileRefused(self.host, f"{path}: {exc.strerror or exc}") from exc

    def _is_alive(self) -> bool:
        return self._sftp is not None and self._sftp.is_alive()

    def _lost(self, error: Exception) -> ConnectionLost:
        self.close()
        said = str(error) or type(error).__name__
        return ConnectionLost(self.host, f"the connection ended during a transfer ({said})")
