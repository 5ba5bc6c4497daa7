"""Reading a file over SFTP with many questions under way, all in one thread.

Seen with paramiko 5.1.0. Its own prefetch needs a thread, which keeps all that it fetched in memory where the reader is
slower, and dies with a traceback on stderr when the connection does; with a limit on its requests it polls.

Upstream: https://github.com/paramiko/paramiko/issues/2500 and https://github.com/paramiko/paramiko/issues/2455 (open).
The public way would be a prefetch that fetches so much ahead of the reader and no more, without a thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from paramiko import Message, SFTPClient, SFTPHandle
from paramiko.sftp import CMD_DATA, CMD_READ, SFTPError, int64

from remotejobs.workarounds.private import require

require("paramiko", SFTPClient, "_async_request", "_read_response", "_convert_status")
require("paramiko", SFTPClient._read_response, "_async_response")  # type: ignore[attr-defined]

CHUNK = 32 * 1024  # bytes: the most that a server must give in one answer
UNDERWAY = 128  # questions: 4 MiB, which fills a fast line over a long way


class ReadAhead:
    """The bytes of the open file `handle`, in order. Raises what paramiko raises, `EOFError` at the file's end too."""

    def __init__(self, client: SFTPClient, handle: SFTPHandle) -> None:
        self._client = client
        self._handle = handle
        self._answers: dict[int, bytes] = {}

    def chunks(self, at: int, end: int) -> Iterator[bytes]:
        """The bytes from `at` to `end`."""
        asked: deque[tuple[int, int, int]] = deque()
        while at < end or asked:
            while at < end and len(asked) < UNDERWAY:
                length = min(CHUNK, end - at)
                asked.append((self._ask(at, length), at, length))
                at += length
            number, start, length = asked.popleft()
            data = self._answer(number)
            yield data
            while len(data) < length:  # a server may give less than was asked for
                start, length = start + len(data), length - len(data)
                data = self._answer(self._ask(start, length))
                yield data

    def _ask(self, at: int, length: int) -> int:
        ask = self._client._async_request  # type: ignore[attr-defined]
        number: int = ask(self, CMD_READ, self._handle, int64(at), length)
        return number

    def _answer(self, number: int) -> bytes:
        while number not in self._answers:
            self._client._read_response()  # type: ignore[attr-defined]
        return self._answers.pop(number)

    def _async_response(self, kind: int, message: Message, number: int) -> None:
        """paramiko gives each answer to its request."""
        if kind != CMD_DATA:
            self._client._convert_status(message)  # type: ignore[attr-defined]
            raise SFTPError("an answer without data")
        self._answers[number] = message.get_string()
