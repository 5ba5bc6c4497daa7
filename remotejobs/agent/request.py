"""The requests of the controller: shell text to send. The `*.sh` beside it are the agent.

A request is the agent's text, one call, and nothing else. `sh -s` runs it as it reads it, so each part stands in braces
of its own, and none is run before all of it is there.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from importlib import resources

from remotejobs.model import PROTOCOL_VERSION, TAIL_BYTES, Job

ANSWER_BYTES = 320 * 1024  # for all of a record that is not output: fields, and the command at its longest


@dataclass(frozen=True, slots=True)
class Read:
    """What of a job's output to bring: from two byte offsets on (-1: its end), at most `max_bytes` bytes of each."""

    jid: str
    stdout_from: int = -1
    stderr_from: int = -1
    max_bytes: int = TAIL_BYTES


@dataclass(frozen=True, slots=True)
class StayingText:
    """The same request for a shell that stays: `opening` with the agent's text, `following` where that was read."""

    opening: Callable[[], bytes]
    following: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """Shell text to send, the line that ends its answer, how long that may be, and the secrets in it.

    Thousands may wait for their answers, so that the text, which is mostly the agent's, is put together when it is
    asked for.
    """

    text: Callable[[], bytes] = field(repr=False)
    begin: bytes
    end: bytes
    max_bytes: int
    secrets: tuple[str, ...] = field(default=(), repr=False)
    staying: StayingText | None = field(default=None, repr=False)

    @property
    def script(self) -> bytes:
        return self.text()


_ALWAYS = ("job.sh", "start.sh", "supervisor.sh", "tree.sh", "ending.sh", "record.sh", "queue.sh")
_QUERIES = (*_ALWAYS, "query.sh")
_OF_HEAD = re.compile(r"(?<=\(\) \{) +#.*")  # what is said of a function behind its name
_FUNCTION = re.compile(r"^(?=rj_\w+\(\))", re.MULTILINE)
_NAME = re.compile(r"\brj_\w+")
_FRAME = "rj_close rj_reads rj_unread"  # what every request calls besides its own


# These shells read what they run byte by byte, which costs more than all they do then; dash and BusyBox by blocks, and
# have read too much already. bash can read so many bytes at once, but not as POSIX wants it; of a request that was cut
# off it gets less.
_AT_ONCE = """{{
rj_once= rj_whole= rj_text=
case ${{BASH_VERSION-}}:${{KSH_VERSION-}}{yash} in
[0-9]*:)
rj_once=1
case $SHELLOPTS in *posix*) rj_whole=posix && set +o posix ;; esac
LC_ALL=C read -rN {length} rj_text
case $rj_whole in posix) set -o posix ;; esac
;;
:*MIRBSD* | :[0-9]*) rj_once=1 && rj_text=$(sed '/^}} # {last}$/q') ;;
esac
case $rj_once in
1)
eval "$rj_text"
rj_text=
case $rj_whole in 1) {run} ;; esac
rj_once=
;;
esac
}}
"""


@cache
def _parts(files: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """What stands before the first function of these files, and each function by its name, without comments and
    indentation, which need not travel."""
    before, functions = "", {}
    for name in files:
        text = resources.files("remotejobs.agent").joinpath(name).read_text("ascii")
        first, *parts = _FUNCTION.split("".join(f"{line}\n" for line in _lines(text)))
        before += first
        functions.update({part[: part.index("(")]: part for part in parts})
    return before, functions


def _lines(text: str) -> Iterator[str]:
    lines = (line.strip() for line in text.splitlines())
    return (_OF_HEAD.sub("", line) for line in lines if line and not line.startswith("#"))


def _needed(functions: Mapping[str, str], text: str) -> list[str]:
    """The names of the functions that `text` calls, and those that these call, in the order of the files: to read one
    costs a shell more than to run it."""
    found: set[str] = set()
    texts = [text]
    while texts:
        new = {name for name in _NAME.findall(texts.pop()) if name in functions} - found
        found |= new
        texts += [functions[name] for name in new]
    return [name for name in functions if name in found]


def _grouped(parts: Iterable[str]) -> str:
    """Each part in a group of its own: where a text is cut off, nothing of its last line is run."""
    return "{\n" + "}\n{\n".join(parts) + "}"


def query_text(function: str) -> str:
    """The agent's text for a request that calls this function."""
    return agent_text(f"{function} {_FRAME}")


@cache
def agent_text(calls: str) -> str:
    """What of the agent has to be there before the text `calls` can run, which asks and starts nothing."""
    before, functions = _parts(_QUERIES)
    return _grouped([before, *(functions[name] for name in _needed(functions, calls))])


# Most of a start's text is not run by most starts, and to read a function costs a shell more than to run it. So it is
# sent as the values of variables, which are evaluated where they are needed. The reaper is another shell, and gets its
# part by its environment: what a job begins with, and, for where it has to write the result, what it ends with.
_LATER = {
    "head": "stat alive self exclusive named gate_is_ours launch take_gate not_run give_up reaper own_words reaped say",
    "rest": "nap clock since signal date fields finish exited conclude leave ending",
    "over": "load load_tree clear ended proving read_proof join any lives proven",
    # What ends a tree, which a timer and a supervisor read where they have to.
    "ends": (
        "tree glimpsed ours processes stats scan signal_tree freeze sweep kill_tree grown end make_room family picture "
        "drawn take_over prove end_tree survivors first_ended unseen uid"
    ),
}
# What else every start runs. All that is in neither is for a start that waits, has a limit, attaches or fails: `more`.
_FIRST = (
    "boot host close fail reads unread valid base own start mask files detach started stay supervise gate too_much "
    "tool adopt heard unit pidns"
)


@cache
def start_agent_text(*more: str) -> str:
    """The agent's text for a start, with what its reaper is made of; what both need is sent once."""
    before, functions = _parts((*_QUERIES, "reaper.sh", *more))
    names = _needed(functions, f"rj_start {_FRAME}")
    group = {f"rj_{name}": variable for variable, of in _LATER.items() for name in of.split()}
    group.update({f"rj_{name}": "" for name in _FIRST.split()})
    texts: dict[str, list[str]] = {variable: [] for variable in ("", *_LATER, "more")}
    for name in names:
        texts[group.get(name, "more")].append(functions[name])
    texts["more"].insert(0, 'eval "$rj_over"\n')
    variables = {variable: _grouped([":\n", *texts[variable]]) + "\n" for variable in (*_LATER, "more")}
    for variable, file in (("adopts", "adopt.pl"), ("reap", "reap.pl"), ("python", "reaper.py")):
        text = resources.files("remotejobs.agent").joinpath(file).read_text("ascii")
        variables[variable] = text if variable == "python" else "\n".join(_lines(text))
    # Each in a group of its own: what a shell needs to read one is free for the next.
    quoted = "".join(f"{{\nrj_{name}={shlex.quote(text)}\n}}\n" for name, text in variables.items())
    return f'{quoted}{{\neval "$rj_head"\neval "$rj_rest"\n}}\n{_grouped([before, *texts[""]])}'


def _request(call: Sequence[str], max_bytes: int, agent: str = "", wait: int = 0, stays: bool = False) -> Request:
    nonce = secrets.token_hex(8)
    begin, end = f"remotejobs {PROTOCOL_VERSION} begin {nonce}", f"remotejobs end {nonce}"
    # The empty line first: what a start-up file printed may lack its last newline.
    text = shlex.join(call)
    unread = f"{{\nrj_reads || {{ printf '\\n{begin}\\n'; rj_unread; echo '{end}'; exit; }}\n}}"
    # yash takes no word of bytes that it cannot read.
    yash = "${YASH_VERSION-}" if text.isascii() else ""

    def one_call(run: str) -> str:
        lines = [
            "{",
            f"RJ_END='{end}'",
            *([f"RJ_WAIT={wait}"] if wait else []),
            "rj_asked() {",
            f"printf '\\n%s\\n' '{begin}'",
            text,
            "rj_close",
            "exit",
            "}",
            "}",
            "{",
            f"case $rj_once in 1) rj_whole=1 ;; *) {run} ;; esac",
            f"}} # {nonce}",
            "",
        ]
        return "\n".join(lines)

    def script(run: str) -> bytes:
        whole = "\n".join([agent or query_text(call[0]), *([] if text.isascii() else [unread]), one_call(run)]).encode()
        return _AT_ONCE.format(yash=yash, last=nonce, length=len(whole), run=run).encode() + whole

    asked = Request(partial(script, "rj_asked"), begin.encode(), end.encode(), max_bytes + ANSWER_BYTES)
    if not stays or not text.isascii():
        return asked
    # Each question in a subshell, which ends with it: the next one begins from the same state.
    apart = "(rj_asked) </dev/null"
    return replace(asked, staying=StayingText(partial(script, apart), one_call(apart).encode()))


def settings_of(job: Job) -> str:
    """A digest of all that makes two starts differ: command, interpreter, directory, environment."""
    parts = [job.cmd, job.interpreter, job.chdir, *(f"{key}={value}" for key, value in sorted(job.env.items()))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def wants_of(job: Job) -> str:
    """The locks and slots of a job as words `NAME=MOST`: at most so many jobs that want the name run at once."""
    slots = [f"slots:{job.pool}={job.slots}"] if job.slots else []
    return " ".join([*(f"lock:{lock}=1" for lock in job.locks), *slots])


def start(job: Job, directory: str, wait: int = 0) -> Request:
    """With `wait`, the answer goes on for so many seconds, until the job ends: `milestone_of`, and then as a status."""
    options = [
        job.interpreter,
        job.chdir,
        str(job.timeout or 0),
        str(job.idle_timeout or 0),
        str(job.grace),
        job.label,
        settings_of(job),
        wants_of(job),
        str(job.queue_timeout or 0),
        job.launcher,
    ]
    secret = [secrets.token_hex(4), secrets.token_hex(16)]
    env = [f"{key}={value}" for key, value in job.env.items()]
    call = ["rj_start", directory, job.jid, job.cmd, *options, *secret, *env]
    lives = {"plain": [], "pidns": ["pidns.sh"]}.get(job.launcher, ["unit.sh"])
    more = [*(["queue_wait.sh"] if wants_of(job) else []), *(["stay.sh"] if wait else []), *lives]
    asked = _request(call, 2 * TAIL_BYTES, start_agent_text(*more), wait)
    return replace(asked, secrets=(*secret, *job.env.values()))


def milestone_of(started: Request, jid: str) -> bytes:
    """The line behind which the answer of a start goes on."""
    return b"\njob %b %b\n" % (jid.encode(), started.end.rpartition(b" ")[2])


def status(reads: Sequence[Read], directory: str, wait: int = 0) -> Request:
    words = [str(word) for read in reads for word in (read.jid, read.stdout_from, read.stderr_from, read.max_bytes)]
    size = sum(2 * read.max_bytes + ANSWER_BYTES for read in reads)
    return _request(["rj_status", directory, str(wait), *words], size, stays=True)


def kill(jid: str, directory: str, grace: int | None = None) -> Request:
    return _request(["rj_kill", directory, jid, "" if grace is None else str(grace)], 2 * TAIL_BYTES)


def list_jobs(directory: str) -> Request:
    return _request(["rj_list", directory], 64 * 1024 * 1024)


def clean(directory: str, older_than: int, keep: int, dry_run: bool) -> Request:
    return _request(["rj_clean", directory, str(older_than), str(keep), "1" if dry_run else "0"], 64 * 1024 * 1024)
