"""What transfers need of a host's files; `connections.ssh.files` is one way to them, this machine's own the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from remotejobs.connections.connect import is_local, transport_of
from remotejobs.errors import FileRefused
from remotejobs.inventory.variables import HostLike

CHUNK = 256 * 1024

# The other end of a transfer. Neither raises an OSError, which would be taken for the host's.
Read = Callable[[int], bytes]
Write = Callable[[bytes], None]


class Files(Protocol):
    """The files of one host as the user who logs in. Raises `FileRefused` for what the host refuses, and `Unreachable`;
    after `ConnectionLost` the same may be asked again.
    """

    @property
    def host(self) -> str: ...

    def absolute(self, path: str) -> str:
        """`path` from the root on; relative ones, and those with `~/`, begin at the user's home."""

    def size(self, path: str) -> int | None:
        """Bytes of the regular file `path`; None when there is none."""

    def append(self, path: str, read: Read, at: int, on_bytes: Callable[[int], None]) -> None:
        """Write what `read` gives, to its end, to `path` from byte `at` on. `on_bytes` gets the size of each chunk."""

    def fetch(self, path: str, write: Write, at: int, size: int, on_bytes: Callable[[int], None]) -> None:
        """Give the bytes from `at` to `size` of `path` to `write`."""

    def close(self) -> None:
        """End the connection; a later use opens another."""


def files_of(host: HostLike) -> Files:
    """The files of `host`, by its `ansible_connection`. `UsageError` names what cannot be honoured."""
    if is_local(host):
        return LocalFiles(host.name)
    # paramiko takes 0.2 s to import, for which other commands need not wait.
    from remotejobs.connections.ssh.files import SshFiles, over_openssh, over_paramiko
    from remotejobs.connections.ssh.openssh import OpenSshConnection
    from remotejobs.connections.ssh.resolve import resolve

    if transport_of(host) == "openssh":
        connection = OpenSshConnection(host, retry_for=0)
        return SshFiles(host.name, partial(over_openssh, connection))
    return SshFiles(host.name, partial(over_paramiko, resolve(host)))


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """This machine's files."""

    host: str

    def absolute(self, path: str) -> str:
        return str(Path.home() / path.removeprefix("~/"))

    def size(self, path: str) -> int | None:
        place = Path(path)
        with self._translated(path):
            if place.exists() and not place.is_file():
                raise FileRefused(self.host, f"{path} is no regular file")
            return place.stat().st_size if place.exists() else None

    def append(self, path: str, read: Read, at: int, on_bytes: Callable[[int], None]) -> None:
        with self._translated(path), Path(path).open("r+b" if at else "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.seek(at)
            while chunk := read(CHUNK):
                file.write(chunk)
                on_bytes(len(chunk))

    def fetch(self, path: str, write: Write, at: int, size: int, on_bytes: Callable[[int], None]) -> None:
        with self._translated(path), Path(path).open("rb") as file:
            file.seek(at)
            while at < size and (chunk := file.read(min(CHUNK, size - at))):
                write(chunk)
                at += len(chunk)
                on_bytes(len(chunk))

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise FileRefused(self.host, f"{path}: {exc.strerror or exc}") from exc
