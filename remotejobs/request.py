"""The requests of the Python half: shell text to send. The `*.sh` beside it are the other half.

A request is the shell half, one call, and nothing else. `sh -s` runs it as it reads it, so each part stands in braces
of its own, and none is run before all of it is there.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from remotejobs.model import PROTOCOL_VERSION, TAIL_BYTES, Job

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


_ALWAYS = ("job.sh", "tree.sh", "record.sh", "queue.sh")
_FUNCTION = re.compile(r"^(?=rj_\w+\(\))", re.MULTILINE)


@cache
def shell_half(*more: str) -> str:
    """What is sent with every request and the files `more`, without comments and indentation, which need not travel.

    Each function is in a group of its own: where a text is cut off, nothing of its last line is run.
    """
    texts = (resources.files("remotejobs").joinpath(name).read_text("ascii") for name in (*_ALWAYS, *more))
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
