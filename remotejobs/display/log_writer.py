"""Output of jobs as it comes: raw bytes of one host, or the lines of many, each with its host in front."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import TextIO

from remotejobs.text import one_line, visible

LONGEST_LINE = 1024 * 1024  # bytes; what is longer is broken, so that memory stays bounded


class LogWriter:
    """Writes every byte to `stream` once, unchanged in a pipe; on a terminal, controls are made visible."""

    def __init__(self, hosts: Sequence[str], stream: TextIO) -> None:
        width = max(map(len, hosts))
        self._prefixes = {host: f"{one_line(host).ljust(width)} | " for host in hosts} if len(hosts) > 1 else {}
        self._partial = dict.fromkeys(hosts, b"")
        self._stream = stream
        self._terminal = stream.isatty()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, host: str, content: bytes) -> None:
        """More output of a host."""
        if self._prefixes:
            self._write_lines(host, content)
        else:
            self._put(content)
        self._stream.flush()

    def close(self) -> None:
        """Write the last lines that have no newline."""
        for host, rest in self._partial.items():
            if rest:
                self._put(self._prefixes[host].encode() + rest + b"\n")
        self._stream.flush()

    def _write_lines(self, host: str, content: bytes) -> None:
        *lines, rest = (self._partial[host] + content).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        self._partial[host] = rest
        prefix = self._prefixes[host].encode()
        self._put(b"".join(prefix + line + b"\n" for line in lines))

    def _put(self, content: bytes) -> None:
        if self._terminal:
            self._stream.write(visible(self._decoder.decode(content)))
        else:
            self._stream.buffer.write(content)
