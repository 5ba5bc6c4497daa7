"""Trees of processes that do all they can to outlive their job, ended under load: is any called gone that lives?

Each command enters a control group of its own before all else, so the kernel says what is left of it, however it hides
from the product (needs root and cgroup v2). Most jobs have a reaper; every fifth is on a host that can have none, where
nothing may be called proven but the end of a pid namespace, which every fourth has.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from pwd import getpwnam
from random import Random
from shlex import quote

from faults.host.points import resized
from faults.network.transports import ProgramConnection
from faults.trial import Trial, Try, TryOutcome, lost
from lab import guard
from lab.job_files import read
from lab.users import LabUser
from remotejobs.connections.base import Connection, Question, Reply
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Launcher, Record, State

AT_ONCE = 8
BUSY = 2  # shells that do nothing but compute, beside the jobs
READY_WITHIN = 60.0  # seconds
GONE_WITHIN = 20.0  # seconds, of what is killed when all has been judged
LIMITS = (1, 2, 3)  # seconds
LOOKS = 100
_NUMBERS = count()

_THREAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""
_CHAIN = '$SIG{TERM} = "IGNORE"; while (1) { select undef, undef, undef, 0.001; exit if fork }'
# What a tree may hold. {other} is the user that sudo becomes, {python} a file with _THREAD.
BRANCHES = {
    "sudo": "sudo -n -u {other} sleep 600 &",
    "stubborn sudo": """sudo -n -u {other} sh -c "trap '' TERM HUP; sleep 600; sleep 600" &""",
    "thread": "setsid python3 {python} &",
    "ssh-agent": 'eval "$(ssh-agent)" >/dev/null',
    "gpg-agent": 'gpg-agent --homedir "$REMOTEJOBS_DIR" --daemon >/dev/null 2>&1',
    "tmux": """tmux -f /dev/null -S "$REMOTEJOBS_DIR/tmux" new-session -d "trap '' TERM HUP; sleep 600" """,
    "double fork": """(setsid env -i sh -c "trap '' TERM; (sleep 600; :) & sleep 600" &)""",
    "chain": "(setsid env -i PATH=\"$PATH\" perl -e '{chain}' &)",
}


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """A job to be: what is in its tree, whose it is, whether its host can have a reaper, and what ends it."""

    jid: str
    branches: tuple[str, ...]
    by_root: bool
    reaped: bool
    in_namespace: bool
    limit: int | None
    grace: int
    awaited: bool
    """Whether it is let come to stand before it is killed."""


def _drawn(chance: Random, number: int) -> ProcessTree:
    names = tuple(BRANCHES)
    # Each in its turn, so that few tries hold all, and some others.
    branches = {names[number % len(names)], *chance.sample(names, chance.randint(0, 2))}
    return ProcessTree(
        jid=f"tree{number}",
        branches=tuple(sorted(branches)),
        by_root=number // 2 % 2 == 0,
        reaped=number % 5 != 4,
        in_namespace=number % 4 == 1,  # root's all
        limit=chance.choice(LIMITS) if number % 3 == 2 else None,
        grace=chance.choice((0, 0, 1)),
        awaited=chance.random() < 0.7,
    )


def stubborn(trial: Trial) -> Iterator[Try]:
    trees = [_drawn(trial.chance, number) for number in range(trial.tries)]
    with ExitStack() as stack:
        ground = _Ground(trial.directory, stack)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            yield from threads.map(ground.tried, trees)


class _Ground:
    """The user whose jobs they are, the user's control groups, and a machine that has much else to do."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        user = LabUser.unique(f"t{next(_NUMBERS)}", sudo="ALL=(ALL) NOPASSWD: ALL")
        self._user = stack.enter_context(user)
        self._thread = directory / "thread.py"
        self._thread.write_text(_THREAD)
        self._notes = directory / "notes"
        self._notes.mkdir()
        for path, mode in ((directory, 0o711), (self._notes, 0o1777), (self._thread, 0o644)):
            path.chmod(mode)
        self._groups = stack.enter_context(_groups(f"trees-{os.getpid()}-{next(_NUMBERS)}", self._user.name))
        self._root_base = directory / "jobs"
        for _ in range(BUSY):
            stack.enter_context(_busy())

    def tried(self, tree: ProcessTree) -> Try:
        with _group(self._groups / tree.jid, self._user.name) as group:
            jobs = self._jobs(tree)
            jobs.start(self._job(tree, group))
            record = self._end_of(tree, jobs)
            return judged(tree, record, alive_in(group), went_on=(self._notes / f"{tree.jid}.next").exists())

    def _jobs(self, tree: ProcessTree) -> HostJobs:
        # A process that moves itself needs to be below the group that it was given.
        enter = f'echo 0 >{quote(str(self._groups / "login"))}/cgroup.procs; exec "$@"'
        words = ["sh", "-c", enter, "sh"]
        if not tree.by_root:
            words += ["runuser", "-u", self._user.name, "--"]
        home = str(Path("~root" if tree.by_root else f"~{self._user.name}").expanduser())
        connection = ProgramConnection(*words, env={"HOME": home})
        base = str(self._root_base) if tree.by_root else ""
        return HostJobs(connection if tree.reaped else Unaided(connection), directory=base)

    def _job(self, tree: ProcessTree, group: Path) -> Job:
        words = {
            "other": self._user.name if tree.by_root else "root",
            "python": quote(str(self._thread)),
            "chain": _CHAIN,
        }
        note = quote(str(self._notes / tree.jid))
        lines = [
            f"echo 0 >{quote(str(group))}/cgroup.procs || exit 9",
            *(BRANCHES[name].format(**words) for name in tree.branches),
            f"echo ready >{note}.ready",
            f"sleep 600; echo next >{note}.next",
        ]
        launcher: Launcher = "pidns" if tree.in_namespace else "auto"
        return Job(jid=tree.jid, cmd="\n".join(lines), timeout=tree.limit, grace=tree.grace, launcher=launcher)

    def _end_of(self, tree: ProcessTree, jobs: HostJobs) -> Record:
        if tree.limit:
            return jobs.record(tree.jid, wait=60)
        deadline = time.monotonic() + READY_WITHIN
        while tree.awaited and not (self._notes / f"{tree.jid}.ready").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        record = jobs.kill(tree.jid)
        return record if record.finished else jobs.record(tree.jid, wait=60)


def judged(tree: ProcessTree, record: Record, alive: list[str], *, went_on: bool) -> Try:
    """Whether its reported end is true: `alive` lived when it was reported; `went_on`: to its next command."""
    about = f"{tree.jid} ({', '.join(tree.branches)}{'' if tree.by_root else ', of a user'}): {record.msg!r}"
    wanted = State.TIMED_OUT if tree.limit else State.KILLED
    proven = record.proof in ("reaped", "cgroup", "pidns") or "proven empty" in record.msg
    if record.state is not wanted:
        return lost(f"{about}, {record.state} {record.cause} rc {record.rc} instead of {wanted}")
    if proven and alive:
        return lost(f"{about}, but there are {', '.join(alive)}")
    if proven and not (tree.reaped or tree.in_namespace):
        return lost(f"{about}, and the kernel was not asked")
    if went_on:
        return lost(f"{about}, and it went on to its next command")
    word = record.proof or ("a survivor named" if record.survivors else "nothing said")
    return Try(TryOutcome.SURVIVED, f"{word}{' though a process lived' if alive and record.proof else ''}")


@dataclass(slots=True)
class Unaided:
    """A host without perl and Python."""

    inner: Connection
    host: str = "here"

    def ask(self, question: Question) -> Reply:
        script = resized(question.script.replace(b"\nrj_tool\n", b"\ntool=\n"))
        return self.inner.ask(replace(question, script=script))

    def close(self) -> None:
        self.inner.close()


@contextmanager
def _busy() -> Iterator[None]:
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as shell:
        try:
            yield
        finally:
            shell.kill()


@contextmanager
def _groups(name: str, user: str) -> Iterator[Path]:
    """A control group in which `user` and root may move processes from one part to another, and its part `login`."""
    place = next(Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines() if " cgroup2 " in line)
    with _group(place / name, user) as groups, _group(groups / "login", user):
        yield groups


@contextmanager
def _group(place: Path, user: str) -> Iterator[Path]:
    guard.enter("cgroup", place)
    place.mkdir()
    os.chown(place / "cgroup.procs", getpwnam(user).pw_uid, -1)
    try:
        yield place
    finally:
        _emptied(place)
        with contextlib.suppress(OSError):  # else it is the guard's
            place.rmdir()
            guard.leave("cgroup", place)


def _emptied(place: Path) -> None:
    """All in there and below are killed, also those whose main thread has ended, which cgroup.kill spares."""
    deadline = time.monotonic() + GONE_WITHIN
    while "populated 1" in (place / "cgroup.events").read_text() and time.monotonic() < deadline:
        (place / "cgroup.kill").write_text("1")
        for pid in _pids_in(place):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def alive_in(group: Path) -> list[str]:
    """Who lives there, by pid and name; the dead that wait for their parent to take note are not."""
    for _ in range(LOOKS):
        if "populated 0" in (group / "cgroup.events").read_text():
            return []
        if alive := list(_living(_pids_in(group))):
            return alive
    return ["a process that no list holds"]  # a chain of forks, of which one lives at any moment


def _living(pids: list[int]) -> Iterator[str]:
    for pid in pids:
        head, _, rest = read(Path(f"/proc/{pid}/stat")).decode(errors="replace").rpartition(") ")
        fields = rest.split()
        if fields and (fields[0] not in "ZX" or int(fields[17]) > 1):
            yield f"{pid} {head.partition('(')[2]}"


def _pids_in(group: Path) -> list[int]:
    return [int(pid) for path in group.rglob("cgroup.procs") for pid in path.read_text().split()]
