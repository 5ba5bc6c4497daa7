"""What pushing and pulling share: the two ends, sums reported by the host, and going on after a cut."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from remotejobs.agent.shell import command_of, text_of
from remotejobs.errors import FileRefused, ProtocolError, Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import BecomeChoice, Fleet
from remotejobs.jobs.wait import start_and_wait
from remotejobs.model import Job, State
from remotejobs.operations.transfer.files import Files, files_of
from remotejobs.operations.transfer.throttle import Throttle
from remotejobs.text import one_line

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds
REPORT_EVERY = 0.1  # seconds
CONTACT_TIMEOUT = 300.0  # seconds without a byte
_SUM_LIMIT = 6 * 3600
_FIELD = b"sha256 "

T = TypeVar("T")
Report = Callable[["Moved"], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """How far a transfer is: `done` of `total` bytes; `cuts` is how often the connection was lost so far."""

    host: str
    done: int
    total: int
    cuts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """A file that is whole over there, or here, as its sha256 on both ends says.

    `resumed` bytes were there from an earlier try, `cuts` connections were lost, `changed` is False where the same
    content had been there before.
    """

    host: str
    path: str
    bytes: int
    sha256: str
    resumed: int = 0
    cuts: int = 0
    seconds: float = 0.0
    changed: bool = True


class TransferFailed(FileRefused):
    """Transfer it again: what was damaged was removed."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The host's end of a transfer: its files, and its jobs for what takes longer than a question.

    `becomes` says that the jobs run as another user than the one whose files these are. `contact_timeout` is how many
    seconds may pass without contact, or without a new byte.
    """

    files: Files
    jobs: HostJobs
    becomes: bool = False
    contact_timeout: float = CONTACT_TIMEOUT

    @classmethod
    def of(
        cls, fleet: Fleet, host: str, become: BecomeChoice | None = None, *, contact_timeout: float = CONTACT_TIMEOUT
    ) -> Ends:
        """Those of a host of `fleet`. `UsageError` names what cannot be honoured."""
        becomes = fleet.become(host, become) is not None
        return cls(files_of(fleet.hosts[host]), fleet.jobs(host, become=become), becomes, contact_timeout)

    def digest(self, path: str) -> str:
        """The sha256 of a file over there. Raises `FileRefused`."""
        return self.run("check", "tr_digest", path)

    def seal(self, part: str, dest: str, sha256: str, mode: int) -> None:
        """Give a whole `part` its name. Raises `FileRefused`."""
        self.run("finish", "tr_seal", part, dest, sha256, f"{mode:o}")

    def run(self, verb: str, *words: str) -> str:
        """Call a function of transfer.sh as a job, which outlives every connection; the sha256 that it reported."""
        jid = f"{verb}-transfer.{secrets.token_hex(8)}"
        command = command_of(text_of("remotejobs.operations.transfer", "transfer.sh"), *words)
        job = Job(jid=jid, cmd=command, label=f"{verb} {Path(words[1]).name}", timeout=_SUM_LIMIT)
        record = start_and_wait(self.jobs, job, contact_timeout=self.contact_timeout)
        if record.state is not State.SUCCEEDED:
            raise FileRefused(record.host, f"{job.label}: {record.state}: {one_line(record.last_lines) or record.msg}")
        for line in record.stdout.splitlines():
            if line.startswith(_FIELD):
                return line.removeprefix(_FIELD).decode("ascii", "replace")
        raise ProtocolError(record.host, f"job {jid} succeeded and reported no sha256")


class Through:
    """Counts what was moved, and goes on after cuts: each time from where the other end is by then.

    `total` is how many bytes there are; where it is learnt on the way, it is set before the first of them.
    """

    def __init__(self, ends: Ends, throttle: Throttle | None, report: Report, *, total: int = 0) -> None:
        self.total = total
        self._host = ends.files.host
        self._contact_timeout = ends.contact_timeout
        self._throttle = throttle or Throttle(0)
        self._report = report
        self._began = time.monotonic()
        self._cuts = 0
        self._done = 0
        self._resumed: int | None = None
        self._reported_at = 0.0

    def begin_at(self, done: int) -> None:
        """So much is there already."""
        self._done = done
        if self._resumed is None:
            self._resumed = done
        self._say()

    def take(self, count: int) -> None:
        """So much more was moved."""
        self._throttle.spend(count)
        self._done += count
        if self._done == self.total or time.monotonic() >= self._reported_at + REPORT_EVERY:
            self._reported_at = time.monotonic()
            self._say()

    def ended(self, path: str, sha256: str) -> Transferred:
        """The whole file is under its name now."""
        return self._transferred(path, sha256, resumed=self._resumed or 0, changed=True)

    def was_there(self, path: str, sha256: str) -> Transferred:
        """The same content was there before, so nothing was moved."""
        self.begin_at(self.total)
        return self._transferred(path, sha256, resumed=0, changed=False)

    def persist(self, attempt: Callable[[], T]) -> T:
        """`attempt`, again after each cut, for as long as new bytes come, or until the contact timeout."""
        give_up, best, pause = 0.0, -1, FIRST_PAUSE
        while True:
            try:
                return attempt()
            except Unreachable as exc:
                now = time.monotonic()
                if self._done > best or not give_up:
                    give_up, best, pause = now + self._contact_timeout, self._done, FIRST_PAUSE
                if now >= give_up or not exc.transient:
                    raise
                self._cuts += 1
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _say(self) -> None:
        self._report(Moved(self._host, self._done, self.total, self._cuts))

    def _transferred(self, path: str, sha256: str, *, resumed: int, changed: bool) -> Transferred:
        return Transferred(
            host=self._host,
            path=path,
            bytes=self.total,
            sha256=sha256,
            resumed=resumed,
            cuts=self._cuts,
            seconds=time.monotonic() - self._began,
            changed=changed,
        )


def part_name(path: str, sha256: str) -> str:
    """What the file is called until it is whole. It belongs to one content, so that going on with it is right."""
    return f".{Path(path).name}.{sha256[:16]}.part"
