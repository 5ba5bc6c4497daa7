"""The answers of the agent, read as records. `request.py` is what was asked.

An answer stands between two lines that carry a nonce, so that what a start-up file or the job's own output prints is
never taken for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from remotejobs.agent.request import Request
from remotejobs.connections.host_words import NOTHING, words_of_host
from remotejobs.errors import (
    DirectoryRefused,
    HostRefused,
    InvalidJob,
    JobExists,
    JobNotFound,
    OtherHost,
    ProtocolError,
    RemoteJobsError,
    StartFailed,
)
from remotejobs.model import PROTOCOL_VERSION, Job, Record, State, check_jid
from remotejobs.progress import progress_of
from remotejobs.text import shortened

_SHOWN = 400  # characters of a command in an error
_BLOB = re.compile(rb"blob (cmd|stdout|stderr|processes) (\d{1,18}) (\d{1,18}) (\d{1,18})")
_ERRORS: dict[str, type[HostRefused]] = {
    "no_such_job": JobNotFound,
    "start_failed": StartFailed,
    "bad_dir": DirectoryRefused,
    "other_host": OtherHost,
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


def _printable(text: str) -> str:
    """A host's own words in one line without control characters, which a log or a terminal would obey."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


class Response:
    """The body of one answer, read line by line and blob by blob; anything odd is `ProtocolError`."""

    def __init__(self, host: str, request: Request, stdout: bytes, stderr: bytes) -> None:
        self._host = host
        self._word = f" {request.end.rpartition(b' ')[2].decode()}"
        head = b"\n" + request.begin + b"\n"
        start = stdout.find(head)
        end = stdout.rfind(request.end + b"\n")
        if start < 0 or end < start + len(head):
            said = words_of_host(request.script, request.secrets, stderr, stdout[max(start, 0) :])
            raise ProtocolError(host, f"no whole answer came back; the host said: {said or NOTHING}")
        self._body = stdout[start + len(head) : end]
        self._at = 0

    def _line(self) -> bytes:
        end = self._body.find(b"\n", self._at)
        if end < 0:
            raise ProtocolError(self._host, "a line of the answer is cut off")
        line = self._body[self._at : end]
        self._at = end + 1
        return line

    def _blob(self, size: int, start: int, length: int) -> Blob:
        content = self._body[self._at : self._at + length]
        self._at += length
        if len(content) < length or self._line():
            raise ProtocolError(self._host, "the output in the answer has not the length it says")
        return Blob(size, start, content)

    def sections(self, jid: str = "") -> Iterator[Section]:
        """One section for each `job` line; with `jid`, one that needs no such line, and one behind each milestone."""
        current = Section(jid, {}, {}, None) if jid else None
        while self._at < len(self._body):
            line = self._line()
            blob = _BLOB.fullmatch(line)
            key, _, value = line.decode("utf-8", "replace").partition(" ")
            if key == "job" and (not jid or value == jid + self._word):
                if current:
                    yield current
                current = Section(jid or value, {}, {}, None)
            elif current is None and key == "error":  # about the directory, not about a job
                current = Section("", {}, {}, (value.partition(" ")[0], value.partition(" ")[2]))
            elif current is None:
                raise ProtocolError(self._host, f"the answer starts with {line[:80]!r}")
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
    """The record of one section. Raises `ProtocolError` where a field is not what it must be."""
    fields, blobs = {key: _printable(value) for key, value in section.fields.items()}, section.blobs
    protocol = fields.get("protocol", "")
    if protocol not in ("", str(PROTOCOL_VERSION)):
        raise ProtocolError(
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
            proof=fields.get("proof", ""),
            unseen=fields.get("unseen", ""),
            progress=progress_of(fields.get("progress", "")),
            processes=blobs.get("processes", empty).content.decode("utf-8", "replace"),
            cause=fields.get("cause", ""),
            still_runs=fields.get("still_runs") == "1",
            results_dir=fields.get("results_dir", ""),
            become_user=become_user,
            attached=fields.get("attached") == "1",
        )
    except (KeyError, ValueError, InvalidJob) as exc:
        raise ProtocolError(host, f"job {section.jid}: the record is not understood: {exc}") from exc


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
        different = f"its command is {shortened(there, _SHOWN)!r}, yours is {shortened(job.cmd, _SHOWN)!r}"
        if there == job.cmd:
            different = "the command is the same, but interpreter, chdir or env differ"
        return JobExists(host, f"jid {job.jid} is taken by another job: {different}")
    if code == "bad_jid":
        return InvalidJob(f"{host}: jid {section.jid!r} was refused: {message}")
    kind = _ERRORS.get(code)
    if kind is None:
        return ProtocolError(host, f"an error of unknown kind came back: {code[:40]} {message[:200]}")
    return kind(host, f"job {section.jid}: {message}" if section.jid else message)
