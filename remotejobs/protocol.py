"""The Python half of the protocol: requests as shell text, answers as records. The `*.sh` beside it are the other.

A request is the shell half, one call, and nothing else: `sh -s` reads all of it before it runs any of it, because
the whole stands in braces. An answer stands between two lines that carry a nonce, so that what a start-up file or
the job's own output prints is never taken for it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources

from remotejobs.errors import (
    DirectoryRefused,
    HostRefused,
    InvalidJob,
    JobExists,
    NoSuchJob,
    ProtocolDamaged,
    RemoteJobsError,
    StartFailed,
)
from remotejobs.model import PROTOCOL_VERSION, TAIL_BYTES, Job, Record, State, check_jid
from remotejobs.progress import progress_of

ANSWER_BYTES = 128 * 1024  # for all of a record that is not output: fields, and the command at its longest


@dataclass(frozen=True, slots=True)
class Read:
    """What of a job's output to bring: from two byte offsets on (-1: the end of it), at most `limit` bytes of each."""

    jid: str
    stdout_from: int = -1
    stderr_from: int = -1
    limit: int = TAIL_BYTES


@dataclass(frozen=True, slots=True)
class Request:
    """Shell text to send, the line that ends its answer, and how long that answer may be."""

    script: bytes
    begin: bytes
    end: bytes
    max_bytes: int


_FUNCTION = re.compile(r"^(?=rj_\w+\(\))", re.MULTILINE)


@cache
def shell_half(*more: str) -> str:
    """`job.sh`, `queue.sh` and the files `more`, without comments and indentation, which need not travel.

    Each function is in a group of its own: where a text is cut off, nothing of its last line is run.
    """
    texts = (resources.files("remotejobs").joinpath(name).read_text("ascii") for name in ("job.sh", "queue.sh", *more))
    groups = _FUNCTION.sub("}\n{\n", "".join(texts))
    lines = (line.strip() for line in f"{{\n{groups}}}".splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def _request(call: Sequence[str], max_bytes: int, *more: str) -> Request:
    nonce = secrets.token_hex(8)
    begin, end = f"remotejobs {PROTOCOL_VERSION} begin {nonce}", f"remotejobs end {nonce}"
    # A group is run when all of it is there. Were the functions in this one too, bash would keep them twice.
    # The empty line first: what a start-up file printed may lack its last newline.
    lines = [
        shell_half(*more),
        "{",
        f"RJ_END='{end}'",
        f"printf '\\n%s\\n' '{begin}'",
        shlex.join(call),
        "rj_close",
        "exit",
        "}",
    ]
    return Request("\n".join([*lines, ""]).encode(), begin.encode(), end.encode(), max_bytes + ANSWER_BYTES)


def settings_of(job: Job) -> str:
    """A digest of all that makes two starts differ: command, interpreter, directory, environment."""
    parts = [job.cmd, job.interpreter, job.chdir, *(f"{key}={value}" for key, value in sorted(job.env.items()))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def wants_of(job: Job) -> str:
    """The locks and slots of a job as words `NAME=MOST`: at most so many jobs that want the name run at once."""
    slots = [f"slots:{job.pool}={job.slots}"] if job.slots else []
    return " ".join([*(f"lock:{lock}=1" for lock in job.locks), *slots])


def start(job: Job, directory: str) -> Request:
    options = [
        job.interpreter,
        job.chdir,
        str(job.limit or 0),
        str(job.stall or 0),
        str(job.grace),
        job.label,
        settings_of(job),
        wants_of(job),
        str(job.queue_limit or 0),
        job.launcher,
    ]
    secret = [secrets.token_hex(4), secrets.token_hex(16)]
    env = [f"{key}={value}" for key, value in job.env.items()]
    call = ["rj_start", directory, job.jid, job.cmd, *options, *secret, *env]
    more = [*(["stand.sh"] if wants_of(job) else []), *(["unit.sh"] if job.launcher != "plain" else [])]
    return _request(call, 2 * TAIL_BYTES, *more)


def status(reads: Sequence[Read], directory: str, wait: int = 0) -> Request:
    words = [str(word) for read in reads for word in (read.jid, read.stdout_from, read.stderr_from, read.limit)]
    size = sum(2 * read.limit + ANSWER_BYTES for read in reads)
    return _request(["rj_status", directory, str(wait), *words], size, "ask.sh")


def kill(jid: str, directory: str, grace: int | None = None) -> Request:
    return _request(["rj_kill", directory, jid, "" if grace is None else str(grace)], 2 * TAIL_BYTES, "ask.sh")


def list_jobs(directory: str) -> Request:
    return _request(["rj_list", directory], 64 * 1024 * 1024, "ask.sh")


def clean(directory: str, older_than: int, keep: int, dry_run: bool) -> Request:
    return _request(
        ["rj_clean", directory, str(older_than), str(keep), "1" if dry_run else "0"], 64 * 1024 * 1024, "ask.sh"
    )


_BLOB = re.compile(rb"blob (cmd|stdout|stderr|processes) (\d{1,18}) (\d{1,18}) (\d{1,18})")
_ERRORS: dict[str, type[HostRefused]] = {
    "no_such_job": NoSuchJob,
    "start_failed": StartFailed,
    "bad_dir": DirectoryRefused,
}


@dataclass(frozen=True, slots=True)
class Blob:
    size: int
    start: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Section:
    """One job's part of an answer, as the host said it and not yet believed."""

    jid: str
    fields: dict[str, str]
    blobs: dict[str, Blob]
    error: tuple[str, str] | None


def _without(script: bytes, said: bytes) -> str:
    """The end of what came, without lines that repeat ours: a login that is no shell may echo secrets back."""
    words = set(script.split())
    lines = [line for line in said.splitlines() if not (words & {word for word in line.split() if len(word) > 3})]
    return b"\n".join(lines)[-300:].decode("utf-8", "replace")


def _printable(text: str) -> str:
    """A host's own words in one line without control characters, which a log or a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


class Answer:
    """The body of one answer, read line by line and blob by blob; anything odd is `ProtocolDamaged`."""

    def __init__(self, host: str, request: Request, stdout: bytes, stderr: bytes) -> None:
        self._host = host
        head = b"\n" + request.begin + b"\n"
        start = stdout.find(head)
        end = stdout.rfind(request.end + b"\n")
        if start < 0 or end < start + len(head):
            said = _without(request.script, stderr.strip() or stdout[max(start, 0) :].strip())
            raise ProtocolDamaged(host, f"no whole answer came back; the end of what came is {said!r}")
        self._body = stdout[start + len(head) : end]
        self._at = 0

    def _line(self) -> bytes:
        end = self._body.find(b"\n", self._at)
        if end < 0:
            raise ProtocolDamaged(self._host, "a line of the answer is cut off")
        line = self._body[self._at : end]
        self._at = end + 1
        return line

    def _blob(self, size: int, start: int, length: int) -> Blob:
        content = self._body[self._at : self._at + length]
        self._at += length
        if len(content) < length or self._line():
            raise ProtocolDamaged(self._host, "the output in the answer has not the length it says")
        return Blob(size, start, content)

    def sections(self, jid: str = "") -> Iterator[Section]:
        """One section for each `job` line; with `jid`, a single section that needs no such line."""
        current = Section(jid, {}, {}, None) if jid else None
        while self._at < len(self._body):
            line = self._line()
            blob = _BLOB.fullmatch(line)
            key, _, value = line.decode("utf-8", "replace").partition(" ")
            if key == "job" and not jid:
                if current:
                    yield current
                current = Section(value, {}, {}, None)
            elif current is None and key == "error":  # about the directory, not about a job
                current = Section("", {}, {}, (value.partition(" ")[0], value.partition(" ")[2]))
            elif current is None:
                raise ProtocolDamaged(self._host, f"the answer starts with {line[:80]!r}")
            elif blob:
                current.blobs[key := blob[1].decode()] = self._blob(int(blob[2]), int(blob[3]), int(blob[4]))
            elif key == "error":
                code, _, message = value.partition(" ")
                current = Section(current.jid, current.fields, current.blobs, (code, message))
            else:
                current.fields[key] = value
        if current:
            yield current


def record_of(host: str, section: Section, become_user: str) -> Record:
    """The record of one section. Raises `ProtocolDamaged` where a field is not what it must be."""
    fields, blobs = {key: _printable(value) for key, value in section.fields.items()}, section.blobs
    protocol = fields.get("protocol", "")
    if protocol not in ("", str(PROTOCOL_VERSION)):
        raise ProtocolDamaged(
            host, f"job {section.jid} was written by protocol {protocol[:20]!r}; this is {PROTOCOL_VERSION}"
        )
    try:
        state = State(fields["state"])
        rc, pid, delta = fields.get("rc", ""), fields.get("pid", ""), fields.get("delta", "")
        empty = Blob(0, 0, b"")
        out, err = blobs.get("stdout", empty), blobs.get("stderr", empty)
        return Record(
            host=host,
            jid=check_jid(section.jid),
            state=state,
            label=fields.get("label", ""),
            cmd=blobs.get("cmd", empty).content.decode("utf-8", "replace"),
            rc=_number(rc),
            signal=fields.get("signal") or None,
            start=_time(fields.get("start", "")),
            end=_time(fields.get("end", "")),
            delta=_seconds(delta),
            stdout=out.content,
            stderr=err.content,
            stdout_from=out.start,
            stderr_from=err.start,
            stdout_bytes=out.size,
            stderr_bytes=err.size,
            pid=_number(pid),
            msg=fields.get("msg", ""),
            survivors=fields.get("survivors", ""),
            progress=progress_of(fields.get("progress", "")),
            processes=blobs.get("processes", empty).content.decode("utf-8", "replace"),
            cause=fields.get("cause", ""),
            still_runs=fields.get("still_runs") == "1",
            results_dir=fields.get("results_dir", ""),
            become_user=become_user,
            attached=fields.get("attached") == "1",
        )
    except (KeyError, ValueError, InvalidJob) as exc:
        raise ProtocolDamaged(host, f"job {section.jid}: the record is not understood: {exc}") from exc


def _number(text: str) -> int | None:
    if text and not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ValueError(f"number {text[:40]!r}")
    return int(text) if text else None


def _time(text: str) -> str:
    """Others compute with it."""
    if text and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text, re.ASCII):
        raise ValueError(f"time {text[:40]!r}")
    if text:
        datetime.fromisoformat(text)  # raises ValueError for a thirteenth month
    return text


def _seconds(text: str) -> float | None:
    if text and not re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text, re.ASCII):
        raise ValueError(f"delta {text[:40]!r}")
    return float(text) if text else None


def error_of(host: str, section: Section, job: Job | None = None) -> RemoteJobsError | None:
    """The error that the host answered instead of a record, if it did."""
    if section.error is None:
        return None
    code, message = section.error[0], _printable(section.error[1])
    if code == "job_exists" and job is not None:
        there = section.blobs["cmd"].content.decode("utf-8", "replace") if "cmd" in section.blobs else "?"
        different = f"its command is {there!r}, yours is {job.cmd!r}"
        if there == job.cmd:
            different = "the command is the same, but interpreter, chdir or env differ"
        return JobExists(host, f"jid {job.jid} is taken by another job: {different}")
    if code == "bad_jid":
        return InvalidJob(f"{host}: jid {section.jid!r} was refused: {message}")
    kind = _ERRORS.get(code)
    if kind is None:
        return ProtocolDamaged(host, f"an error of unknown kind came back: {code[:40]} {message[:200]}")
    return kind(host, f"job {section.jid}: {message}" if section.jid else message)
