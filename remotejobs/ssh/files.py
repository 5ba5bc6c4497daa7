"""Files of a host over SFTP, on a connection of its own: what else is asked of the host does not wait for them."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paramiko import SFTPClient
from paramiko.sftp import SFTPError
from paramiko.ssh_exception import SSHException

from remotejobs.errors import ConnectionLost, FileRefused
from remotejobs.ssh.endpoint import Endpoint
from remotejobs.ssh.link import Link, open_link
from remotejobs.ssh.read_ahead import CHUNK, ReadAhead

DYING = 0.2  # seconds
_CLOSED = ("Socket is closed", "Garbage packet received")
STALLS = 60.0  # seconds without an answer after which a connection counts as lost


class SshFiles:
    """Implements `remotejobs.transfer.files.Files` for one endpoint. Not for several threads at once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.host = endpoint.host
        self._endpoint = endpoint
        self._link: Link | None = None
        self._client: SFTPClient | None = None

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
        with self._translated(path) as client, client.open(path, "r+b" if at else "wb") as file:
            client.chmod(path, 0o600)
            file.settimeout(STALLS)
            file.set_pipelined(True)
            file.seek(at)
            while chunk := read(CHUNK):
                file.write(chunk)
                at += len(chunk)
                on_bytes(len(chunk))
            # Nobody looks at the answers to pipelined writes, and closing a lost connection raises nothing.
            if (written := client.stat(path).st_size or 0) < at:
                raise FileRefused(self.host, f"{path}: only {written} of {at} bytes could be written")

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
        client, link, self._client, self._link = self._client, self._link, None, None
        if client is not None:
            with contextlib.suppress(SSHException, EOFError, OSError):
                client.close()
        if link is not None:
            link.close()

    def _open(self) -> SFTPClient:
        if self._client is None:
            self._link = open_link(self._endpoint)
            client = SFTPClient.from_transport(self._link.transport)
            assert client is not None  # only where a channel was refused, which raises
            self._client = client
        return self._client

    @contextmanager
    def _translated(self, path: str) -> Iterator[SFTPClient]:
        """paramiko's errors by their meaning. After a lost connection the next use begins with a new one."""
        try:
            yield self._open()
        except (SSHException, SFTPError, EOFError, TimeoutError) as exc:
            raise self._lost(exc) from exc
        except OSError as exc:
            if exc.errno is None and (str(exc) in _CLOSED or not self._is_alive()):
                raise self._lost(exc) from exc
            raise FileRefused(self.host, f"{path}: {exc.strerror or exc}") from exc

    def _is_alive(self) -> bool:
        """Channels are told of the end before the transport is inactive."""
        if self._link is not None:
            self._link.transport.join(DYING)
        return self._link is not None and self._link.is_open

    def _lost(self, error: Exception) -> ConnectionLost:
        self.close()
        said = str(error) or type(error).__name__
        return ConnectionLost(self.host, f"the connection ended during a transfer ({said})")
