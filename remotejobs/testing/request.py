"""What was asked of a host, read from the text that would be sent to its shell."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import cast

from remotejobs.model import PROTOCOL_VERSION, Job, Launcher

_LAST = re.compile(rb"\n} # ([0-9a-f]{16})\n\Z")
_WAIT = re.compile(rb"\nRJ_WAIT=(\d+)\nrj_asked\(\) \{\n")
_QUESTION = re.compile(rb"{\nprintf '\\n%s\\n' '([^'\n]*)'\nsh -c (.*) </dev/null 2>&1\nprintf '", re.S)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of `job.sh`, and the line that begins its answer."""

    begin: bytes
    words: list[str]
    wait: int = 0  # seconds, of a start


@dataclass(frozen=True, slots=True)
class ScriptRequest:
    """A script of `remotejobs.agent.shell`, and the line that begins its answer."""

    begin: bytes
    script: str


def asked_in(script: bytes) -> Call | ScriptRequest | None:
    """What `script` asks; None where it is neither of the two that the core sends."""
    if last := _LAST.search(script):  # with a word that nothing in the call can hold
        begin = b"remotejobs %d begin %b" % (PROTOCOL_VERSION, last[1])
        _, _, asked = script.partition(b"'" + begin + b"'\n")
        words = shlex.split(asked[: asked.rindex(b"\nrj_close\nexit\n")].decode())
        waits = _WAIT.search(script)
        return Call(begin, words, int(waits[1]) if waits else 0)
    if question := _QUESTION.match(script):
        return ScriptRequest(question[1], _unquoted(question[2].decode()))
    return None


def _unquoted(word: str) -> str:
    """shlex.quote undone; shlex.split would take 10 ms for a script that holds all of job.sh."""
    return word[1:-1].replace("'\"'\"'", "'") if word.startswith("'") else word


@dataclass(frozen=True, slots=True)
class Start:
    """The words of `rj_start`."""

    directory: str
    job: Job
    settings: str

    @classmethod
    def of(cls, words: list[str]) -> Start:
        directory, jid, cmd, interpreter, chdir, timeout, idle_timeout, grace, label, settings, wants, queue_timeout = (
            words[:12]
        )
        slots = re.search(r"slots:(\S*)=(\d+)", wants)
        job = Job(
            jid=jid,
            cmd=cmd,
            label=label,
            timeout=int(timeout) or None,
            idle_timeout=int(idle_timeout) or None,
            grace=int(grace),
            chdir=chdir,
            env=dict(setting.split("=", 1) for setting in words[15:]),
            interpreter=interpreter,
            locks=tuple(re.findall(r"lock:(\S+)=1", wants)),
            slots=int(slots[2]) if slots else None,
            pool=slots[1] if slots else "",
            queue_timeout=int(queue_timeout) or None,
            launcher=cast("Launcher", words[12]),
        )
        return cls(directory, job, settings)


def base_of(directory: str, user: str) -> str:
    """Where the jobs' directories lie; "" where that cannot be."""
    home = "/root" if user == "root" else f"/home/{user}"
    if directory.startswith("/"):
        return directory
    if directory == "~" or directory.startswith("~/"):
        return home + directory[1:]
    return "" if directory else f"{home}/.remotejobs"
