"""The nouns of the core: a `Job` is started on a host, a `Handle` finds it again, a `Record` says how it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, get_args

from remotejobs.errors import InvalidJob
from remotejobs.progress import Progress
from remotejobs.renamed import renamed_arguments

PROTOCOL_VERSION = 1
JID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
TAIL_BYTES = 64 * 1024
LONGEST_GRACE = 600  # seconds: a kill waits for it

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_READONLY = {"PPID", "UID", "EUID", "GROUPS", "SHELLOPTS", "BASHOPTS", "BASH_VERSINFO", "_", "RANDOM", "LINENO"}
_ENV_RULE = "Use letters, digits and _, but not rj_, RJ_ or REMOTEJOBS_ in front, nor a variable that shells keep."
_QUEUE_RULE = "Use at most 100 letters, digits and . _ : - and begin with a letter or a digit."
_NO_LIMIT = "Use None for no limit."
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Launcher = Literal["auto", "plain", "systemd", "pidns"]


class State(StrEnum):
    """What is known of a job; every one but `queued` and `running` is an end."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    STALLED = "stalled"
    KILLED = "killed"
    LOST = "lost"

    @property
    def finished(self) -> bool:
        return self not in (State.QUEUED, State.RUNNING)


def check_jid(jid: str) -> str:
    """Return `jid` when it is allowed; `InvalidJob` otherwise."""
    if not JID.fullmatch(jid):
        raise InvalidJob(f"jid {jid!r} is not allowed")
    return jid


def _encodable(text: str) -> bool:
    return text.isascii() or not _SURROGATE.search(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command to run detached on a host, under a jid that the caller chooses.

    `timeout`, `idle_timeout` and `grace` are seconds: the job is ended after `timeout`, or when it wrote nothing for
    `idle_timeout` (None: never), by TERM and, `grace` later, KILL; `env` is added to the environment of the login;
    `interpreter` is a program that takes a file (`sh`, `bash`, `python3`), optionally with options.

    Of the jobs of one user on a host that name a lock, one runs at a time; of those that want slots of a pool, `slots`
    do. The others are `queued` on the host, in order of arrival, and their timeouts count from when their turn comes.
    One that is queued for `queue_timeout` seconds (None: as long as it takes) is `timed_out` without having been
    started.

    `launcher` says where the job lives: `systemd`, in a transient unit of its own, which no logout ends; `plain`, among
    the processes of the login; `auto`, in a unit where logind ends those; `pidns` (root alone), in a pid namespace that
    ends with its command.
    """

    jid: str
    cmd: str
    label: str = ""
    timeout: int | None = None
    idle_timeout: int | None = None
    grace: int = 10
    chdir: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    interpreter: str = "sh"
    locks: tuple[str, ...] = ()
    slots: int | None = None
    pool: str = ""
    queue_timeout: int | None = None
    launcher: Launcher = "auto"

    def __post_init__(self) -> None:
        check_jid(self.jid)
        where = f"job {self.jid}"
        if not self.cmd.strip():
            raise InvalidJob(f"{where}: the command is empty", remedy="Give it something to run.")
        if "\0" in self.cmd:
            raise InvalidJob(f"{where}: the command holds a NUL byte", remedy="A shell cannot read it; remove it.")
        if not _encodable(self.cmd):
            raise InvalidJob(f"{where}: the command is not valid UTF-8", remedy="It holds half a character; remove it.")
        for name, value in (("label", self.label), ("chdir", self.chdir), ("interpreter", self.interpreter)):
            if _CONTROL.search(value) or not _encodable(value):
                raise InvalidJob(f"{where}: {name} {value!r} holds a control character", remedy="Remove it.")
        if not self.interpreter.split():
            raise InvalidJob(f"{where}: the interpreter is empty", remedy="Name one, for example sh.")
        if self.timeout is not None and self.timeout < 1:
            raise InvalidJob(f"{where}: timeout {self.timeout} is below one second", remedy=_NO_LIMIT)
        if self.idle_timeout is not None and self.idle_timeout < 1:
            raise InvalidJob(f"{where}: idle_timeout {self.idle_timeout} is below one second", remedy=_NO_LIMIT)
        if not 0 <= self.grace <= LONGEST_GRACE:
            raise InvalidJob(f"{where}: grace is {self.grace} s", remedy=f"Give 0 to {LONGEST_GRACE} seconds.")
        if self.chdir and not self.chdir.startswith("/"):
            raise InvalidJob(f"{where}: chdir {self.chdir!r} is not absolute", remedy="Begin it with /.")
        self._check_env(where)
        self._check_queues(where)
        if self.launcher not in get_args(Launcher):
            raise InvalidJob(f"{where}: launcher {self.launcher!r}", remedy=f"It is {' or '.join(get_args(Launcher))}.")

    def _check_env(self, where: str) -> None:
        for key, value in self.env.items():
            if not _ENV_NAME.fullmatch(key) or key.startswith(("rj_", "RJ_", "REMOTEJOBS_")) or key in _READONLY:
                raise InvalidJob(f"{where}: env name {key!r} cannot be set", remedy=_ENV_RULE)
            if "\0" in value or not _encodable(value):
                raise InvalidJob(f"{where}: env {key} holds a NUL byte or half a character", remedy="Remove it.")

    def _check_queues(self, where: str) -> None:
        for what, names in (("lock", self.locks), ("pool", (self.pool,) if self.pool else ())):
            for name in names:
                if not _QUEUE.fullmatch(name):
                    raise InvalidJob(f"{where}: {what} {name!r} is not allowed", remedy=_QUEUE_RULE)
        if self.slots is not None and self.slots < 1:
            raise InvalidJob(f"{where}: slots is {self.slots}", remedy="Use None for as many as there are.")
        if self.pool and self.slots is None:
            raise InvalidJob(f"{where}: pool {self.pool} without slots", remedy="Say how many of it may run at once.")
        if self.queue_timeout is not None and self.queue_timeout < 1:
            raise InvalidJob(f"{where}: queue_timeout {self.queue_timeout} is below one second", remedy=_NO_LIMIT)
        if self.queue_timeout and not self.locks and self.slots is None:
            raise InvalidJob(f"{where}: queue_timeout without locks or slots", remedy="Say what it has to wait for.")


Job.__init__ = renamed_arguments(limit="timeout", stall="idle_timeout", queue_limit="queue_timeout")(Job.__init__)  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """Where a job is: enough for a fresh controller to ask for it again.

    `results_dir` is the absolute directory of the job on the host.
    """

    host: str
    jid: str
    become_user: str = ""
    results_dir: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the host says of a job. Names are Ansible's where it has one.

    `start` and `end` are UTC in ISO 8601, `delta` is seconds: so far, while running; while queued, how long it has
    waited, and `msg` says for what. `start` is empty of a job that was never started.
    `rc` and `signal` are None until known. `stdout` and `stderr` hold the bytes from
    `stdout_from` / `stderr_from` on, out of `stdout_bytes` / `stderr_bytes` in all: the last 64 KiB unless more was
    asked for. `cause` says why a job is lost, in one word: rebooted, gone (its supervising process), damaged,
    disk_full, never (it was not run); `still_runs` that a command whose supervising process is gone goes on, unwatched.
    `survivors` names, as pid(name), what outlived KILL. `proof` says how it was proven that nothing did: reaped (the
    kernel reported to its reaper that no child is left), cgroup (it is empty), pidns (the first process of its
    namespace is gone, and so are all others there), or scan: not proven, only no process was found, and `unseen` names
    what could not be seen. Empty where nothing had to be ended. `processes` is what ran when a timeout ended the job,
    by `ps`. `progress` is what the job last said of it; `usual` how many seconds earlier runs took there, where that
    was asked for (`remotejobs.jobs.estimate`).
    """

    host: str
    jid: str
    state: State
    label: str = ""
    cmd: str = ""
    rc: int | None = None
    signal: str | None = None
    start: str = ""
    end: str = ""
    delta: float | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_from: int = 0
    stderr_from: int = 0
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    pid: int | None = None
    msg: str = ""
    survivors: str = ""
    proof: str = ""
    unseen: str = ""
    processes: str = ""
    progress: Progress | None = None
    usual: float | None = None
    cause: str = ""
    still_runs: bool = False
    results_dir: str = ""
    become_user: str = ""
    protocol: int = PROTOCOL_VERSION
    changed: bool = True
    attached: bool = False

    @property
    def finished(self) -> bool:
        return self.state.finished

    @property
    def handle(self) -> Handle:
        return Handle(
            host=self.host,
            jid=self.jid,
            become_user=self.become_user,
            results_dir=self.results_dir,
            label=self.label,
        )

    @property
    def last_lines(self) -> str:
        """The end of stderr, or of stdout where stderr is empty: what a person reads first."""
        text = (self.stderr.strip() or self.stdout.strip()).decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-5:])
