"""The answers of `job.sh`, byte for byte in its form, from a job that is not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from remotejobs.model import JID, PROTOCOL_VERSION, State
from remotejobs.testing.clock import Clock
from remotejobs.testing.job import EMPTY_TREE, FakeJob, PlannedEnd

CMD_BYTES = 256 * 1024
PROCESSES_BYTES = 16384
NOTHING = PlannedEnd(0.0, State.RUNNING)


def error(code: str, message: str) -> bytes:
    return f"error {code} {message}\n".encode()


def section(jid: str) -> bytes:
    return f"job {jid}\n".encode()


def brief(job: FakeJob, clock: Clock) -> bytes:
    """All that is known of a job but its command and output."""
    end = job.end or NOTHING
    known = job.end is not None and end.state is not State.LOST
    since = job.arrived if job.began is None else job.began
    delta = "" if end.state is State.LOST else f"{(end.at if known else clock.now()) - since:.2f}"
    msg = f"waits for {job.waits_for}; number {job.place} in line" if job.is_queued else end.msg
    fields = {
        "results_dir": job.directory,
        "state": job.state,
        "rc": "" if end.rc is None else end.rc,
        "signal": end.signal,
        "label": job.job.label,
        "start": "" if job.began is None else clock.iso(job.began),
        "end": clock.iso(end.at) if known else "",
        "delta": delta,
        "pid": "" if job.began is None else job.pid,
        "msg": msg,
        "survivors": "",
        "proof": "reaped" if end.msg.endswith(EMPTY_TREE) else "",
        "unseen": "",
        "cause": end.cause,
        "still_runs": "",
        "protocol": PROTOCOL_VERSION,
    }
    if job.progress:
        fields["progress"] = job.progress
    return "".join(f"{key} {value}\n" for key, value in fields.items()).encode()


def full(job: FakeJob, clock: Clock, out_from: int, err_from: int, most: int) -> bytes:
    """The same with the command, and at most `most` bytes of each stream from those offsets on; -1: the last ones."""
    parts = [
        brief(job, clock),
        _blob("cmd", job.job.cmd.encode(), 0, CMD_BYTES),
        _blob("stderr", bytes(job.stderr), err_from, most),
        _blob("stdout", bytes(job.stdout), out_from, most),
    ]
    if job.began is not None and job.state in (State.TIMED_OUT, State.STALLED):
        parts.append(_blob("processes", _picture(job), 0, PROCESSES_BYTES))
    return b"".join(parts)


def _blob(name: str, content: bytes, start: int, most: int) -> bytes:
    size = len(content)
    start = max(0, size - most) if start < 0 else min(start, size)
    part = content[start : start + most]
    return f"blob {name} {size} {start} {len(part)}\n".encode() + part + b"\n"


def _picture(job: FakeJob) -> bytes:
    command = f"{job.job.interpreter} {job.directory}/cmd"
    return f"    PID    PPID STAT     ELAPSED COMMAND\n{job.pid:7}       1 S          00:00 {command}\n".encode()


def statuses(jobs: Mapping[str, FakeJob], base: str, clock: Clock, words: Sequence[str]) -> bytes:
    """A section for each job that `words` name, with four words each."""
    parts = []
    for at in range(0, len(words), 4):
        jid, out, err, most = words[at : at + 4]
        found = jobs.get(jid)
        parts.append(section(jid))
        parts.append(full(found, clock, int(out), int(err), int(most)) if found else missing(base, jid))
    return b"".join(parts)


def listed(jobs: Mapping[str, FakeJob], clock: Clock, jids: Iterable[str]) -> bytes:
    """Each of them, without command and output."""
    return b"".join(section(jid) + brief(jobs[jid], clock) for jid in jids)


def missing(base: str, jid: str) -> bytes:
    if not JID.fullmatch(jid):
        return error("bad_jid", "the jid is not allowed")
    return error("no_such_job", f"{base}/{jid} does not exist")
