"""One script sent and one answer collected, without any I/O: what SSH and local connections share."""

from __future__ import annotations

from remotejobs.connections.base import Question, Reply
from remotejobs.connections.become import BEGIN, PROMPT, READY
from remotejobs.connections.host_words import hidden
from remotejobs.errors import BecomeFailed, ProtocolError

STDERR_BYTES = 8 * 1024


class Exchange:
    """Send `opening()`; give the output to `take_stdout` and `take_stderr`, and send what these return.

    It is over when `ended` says that the end mark came, or when the streams ended; then `reply()`. `passed` says that
    the milestone came: what was sent has had its effect.
    """

    def __init__(self, host: str, question: Question) -> None:
        self.ended = False
        self.passed = False
        self._host = host
        self._script = question.script
        self._end = question.end
        self._become = question.become
        self._max_bytes = question.max_bytes
        self._milestone = question.milestone
        self._ready = question.become is None
        self._stdout = bytearray()
        self._stderr = bytearray()

    def opening(self) -> bytes:
        """What may be sent before anything was heard."""
        if self._become is None:
            return self._take_script()
        if self._become.password is None:
            # `sudo -n` reads nothing: it runs the wrapper or ends, so there is no answer to wait for.
            return BEGIN + self._take_script()
        return self._become.password.encode() + b"\n"

    @property
    def said_all(self) -> bool:
        """Whether nothing is left to send after what was handed out."""
        return self._ready or self._become is None or self._become.password is None

    def take_stdout(self, data: bytes) -> bytes:
        """Collect `data`; returns what is to be sent now. `ProtocolError` when it is too much."""
        searched = len(self._stdout)
        self._stdout += data
        following = b"" if self._ready else self._find_wrapper()
        if self._ready:
            self._find_milestone()
            self._find_end(max(0, min(searched, len(self._stdout)) - len(self._end)))
        if len(self._stdout) > self._max_bytes:
            raise ProtocolError(self._host, f"the answer is longer than {self._max_bytes} bytes")
        return following

    def take_stderr(self, data: bytes) -> bytes:
        """Keep the last 8 KiB; never anything to send. `BecomeFailed` when sudo asks for the password again."""
        self._stderr += data
        if not self._ready and self._stderr.count(PROMPT) > 1:
            raise BecomeFailed(self._host, f"sudo did not accept the password (for user {self._user})")
        del self._stderr[:-STDERR_BYTES]
        return b""

    def reply(self) -> Reply:
        """The answer as far as it came. `BecomeFailed` when sudo ended without running anything."""
        if not self._ready:
            raise BecomeFailed(self._host, f"sudo to {self._user} failed: {self._sudo_said()}")
        return Reply(bytes(self._stdout), bytes(self._stderr).replace(PROMPT, b""), complete=self.ended)

    @property
    def _user(self) -> str:
        return self._become.user if self._become else ""

    def _find_wrapper(self) -> bytes:
        _, found, rest = self._stdout.partition(READY)
        if not found:
            return b""
        self._stdout = rest
        self._ready = True
        asked = self._become is not None and self._become.password is not None
        return BEGIN + self._take_script() if asked else b""

    def _take_script(self) -> bytes:
        """Once: thousands of exchanges may wait for their answers, and need not hold what they sent."""
        script, self._script = self._script, b""
        return script

    def _find_milestone(self) -> None:
        if self._milestone is None:
            return
        before, found, _ = self._stdout.partition(self._milestone.line)
        if found:
            reached, self._milestone, self.passed = self._milestone.reached, None, True
            reached(bytes(before))

    def _find_end(self, start: int) -> None:
        found = self._stdout.find(self._end, start)
        if found >= 0:
            del self._stdout[found + len(self._end) :]
            self.ended = True

    def _sudo_said(self) -> str:
        text = bytes(self._stderr).replace(PROMPT, b"").decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        # Its lecture is long; why it refused stands at the end, at times in the words of PAM alone.
        relevant = [line for number, line in enumerate(lines, 1) if "sudo" in line or number == len(lines)][-3:]
        return hidden("; ".join(relevant), [self._become.password or ""] if self._become else []) or "it said nothing"
