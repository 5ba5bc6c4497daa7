"""This machine as a host: the same exchange by a subprocess, without SSH."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import IO

from remotejobs.connections.base import Question, Reply
from remotejobs.connections.become import sudo_words
from remotejobs.connections.exchange import Exchange
from remotejobs.errors import BecomeFailed, StartFailed, TimedOut

CHUNK = 64 * 1024
LAST_BREATH = 1.0


@dataclass(slots=True)
class LocalConnection:
    """`ansible_connection: local`; nothing stays open between two questions."""

    host: str

    def ask(self, question: Question) -> Reply:
        """See `remotejobs.connections.base.Connection.ask`."""
        exchange = Exchange(self.host, question)
        words = ["sh", "-s"] if question.become is None else sudo_words(question.become)
        # What has a milestone is a start, and what it starts lives on.
        with ShellProcess(self.host, words, outlives=question.milestone is not None) as shell:
            shell.converse(exchange, question.timeout)
        return exchange.reply()

    def close(self) -> None:
        """Nothing is open."""


class ShellProcess:
    """One `sh -s`, or what leads to one, and its three pipes."""

    def __init__(self, host: str, words: list[str], *, outlives: bool = False) -> None:
        self._host = host
        self._outlives = outlives
        pipe = subprocess.PIPE
        try:
            # A session of its own: Ctrl-C at the terminal is for the half that asks, not for the one that answers.
            self._process = subprocess.Popen(
                words, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
            )
        except OSError as exc:
            failure = BecomeFailed if words[0] == "sudo" else StartFailed
            raise failure(host, f"{words[0]} could not be run on this machine: {exc.strerror}") from exc
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        self._stderr: IO[bytes] = self._process.stderr
        os.set_blocking(self._stdin.fileno(), False)

    def __enter__(self) -> ShellProcess:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the pipes, upon which the shell ends; one that does not (a time-out) is killed with its group, but not
        one that `outlives` us: a job's supervisor is in that group."""
        for pipe in (self._stdin, self._stdout, self._stderr):
            pipe.close()
        try:
            self._process.wait(LAST_BREATH)
        except subprocess.TimeoutExpired:
            if self._outlives:
                threading.Thread(target=self._process.wait, name="outlives", daemon=True).start()
                return
            # A shell of another user cannot be killed from here; it ends when it writes or reads next.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def ended_with(self) -> int | None:
        """The exit status of what was run, once its streams have ended; None when it does not end."""
        try:
            return self._process.wait(LAST_BREATH)
        except subprocess.TimeoutExpired:
            return None

    def converse(self, exchange: Exchange, timeout: float) -> None:
        """Send and collect until the end mark or the end of both streams; `TimedOut` when `timeout` is over."""
        deadline = time.monotonic() + timeout
        unsent = exchange.opening()
        takers = {self._stdout.fileno(): exchange.take_stdout, self._stderr.fileno(): exchange.take_stderr}
        while takers and not exchange.ended:
            unsent = self._send(unsent, last=exchange.said_all)
            for fd in self._ready(takers, writing=bool(unsent), until=deadline):
                if data := os.read(fd, CHUNK):
                    unsent += takers[fd](data)
                else:
                    del takers[fd]
            if time.monotonic() > deadline and not exchange.ended:
                raise TimedOut(self._host, f"no complete answer within {timeout:g} s")
        # What was said on stderr before the end mark is in the pipe by now, though it may not have been read.
        stderr = self._stderr.fileno()
        if stderr in self._ready(takers, writing=False, until=0.0):
            exchange.take_stderr(os.read(stderr, CHUNK))

    def _ready(self, readers: Collection[int], *, writing: bool, until: float) -> list[int]:
        """Wait for something to read, or to write if wanted; returns what can be read."""
        poll = select.poll()
        for fd in readers:
            poll.register(fd, select.POLLIN)
        if writing:
            poll.register(self._stdin.fileno(), select.POLLOUT)
        events = poll.poll(max(0.0, until - time.monotonic()) * 1000 + 1)
        return [fd for fd, _ in events if fd in readers]

    def _send(self, unsent: bytes, *, last: bool) -> bytes:
        """Write what the pipe takes and return the rest; after the `last` byte the shell is to see the end."""
        if self._stdin.closed:
            return b""
        try:
            unsent = unsent[os.write(self._stdin.fileno(), unsent) :] if unsent else b""
        except BlockingIOError:
            return unsent
        except BrokenPipeError:
            unsent = b""
        if last and not unsent:
            self._stdin.close()
        return unsent
