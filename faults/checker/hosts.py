"""The hosts of an episode, and what breaks them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from shlex import quote

from faults.checker.plan import Break, Deed, HostKind
from faults.host.disk import disk, fill_pages
from faults.host.machine import DATE
from faults.host.namespace import namespace
from faults.host.points import NoSuchPoint, act_at
from faults.network.transports import connection_to
from faults.network.wire import BadWire
from lab.job_files import fields_of
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection, Question, Reply
from remotejobs.errors import TimedOut

_DISK = "size=384k"
_TWINS = "1 (init) S 0 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 123456 0 0\n"  # /proc/1/stat


@dataclass(slots=True)
class SharedHosts:
    """What all episodes share: a real sshd behind a wire, started when it is first wanted."""

    place: Path
    stack: ExitStack
    lab: SshLab | None = None
    wire: BadWire | None = None

    def sshd(self) -> tuple[SshLab, BadWire]:
        if self.lab is None or self.wire is None:
            self.lab = self.stack.enter_context(SshLab(self.place / "lab", ["host"]))
            self.wire = self.stack.enter_context(BadWire(self.lab.host("host").port, Random(1)))
        return self.lab, self.wire


class Here:
    """A host that is `sh -s` behind some words; the halves that run now are known, so that they can be hurt."""

    host = "here"

    def __init__(self, path: str, *front: str) -> None:
        self._words = [*front, "sh", "-s"]
        self._env = dict(os.environ, PATH=path)
        self._lock = threading.Lock()
        self.halves: list[int] = []

    def ask(self, question: Question) -> Reply:
        pipe = subprocess.PIPE
        with subprocess.Popen(
            self._words, stdin=pipe, stdout=pipe, stderr=pipe, env=self._env, start_new_session=True
        ) as half:
            with self._lock:
                self.halves.append(half.pid)
            try:
                said, errors = half.communicate(question.script, timeout=question.timeout)
            except subprocess.TimeoutExpired as exc:
                half.kill()
                raise TimedOut(self.host, f"no complete answer within {question.timeout:g} s") from exc
            finally:
                with self._lock:
                    self.halves.remove(half.pid)
        return Reply(said, errors, question.end in said)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True)
class WithDeeds:
    """A connection that can put a deed into the request it brings; `done` says whether that point was reached."""

    inner: Connection
    flag: Path
    deed: Deed | None
    host: str = "here"

    @property
    def done(self) -> bool:
        return self.flag.exists()

    def ask(self, question: Question) -> Reply:
        if self.deed:
            with contextlib.suppress(NoSuchPoint):
                script = act_at(question.script, self.deed.point, self._text(self.deed))
                question = replace(question, script=script)
        return self.inner.ask(question)

    def _text(self, deed: Deed) -> str:
        act = "sh -c 'kill -KILL \"$PPID\"'" if deed.pause is None else f"sleep {deed.pause:.2f}"
        flag = quote(str(self.flag))
        return f"[ -e {flag} ] || {{ : >{flag}; {act}; }} >/dev/null 2>&1"

    def close(self) -> None:
        self.inner.close()


@dataclass(slots=True)
class EpisodeHost:
    """`name` is what its commands know it by; hosts with one `base` share their home."""

    kind: HostKind
    name: str
    base: Path
    connection: Connection
    wire: BadWire | None = None
    small: Path | None = None
    offset: Path | None = None
    stopped: list[int] = field(default_factory=list)

    def suffer(self, one: Break) -> bool:
        """Let it happen for as long as it lasts, without waiting; whether anything was there to be hurt."""
        match one.what:
            case "stop" | "kill":
                return self._hurt(one)
            case "cut" if self.wire:
                self.wire.cut()
            case "fill" if self.small:
                fill_pages(self.small)
            case "clock" if self.offset:
                self.offset.write_text(str(-3600 if one.lasts < 1 else 86400))
            case _:
                return False
        return True

    def recover(self) -> None:
        """All that was broken for a while is whole again."""
        while self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.stopped.pop(), signal.SIGCONT)
        if self.small:
            (self.small / "filler").unlink(missing_ok=True)
        if self.offset:
            self.offset.write_text("0")

    def _hurt(self, one: Break) -> bool:
        pid = self._victim(one)
        if not pid:
            return False
        try:
            os.kill(pid, signal.SIGKILL if one.what == "kill" else signal.SIGSTOP)
        except ProcessLookupError:
            return False
        if one.what == "stop":
            self.stopped.append(pid)
        return True

    def _victim(self, one: Break) -> int:
        if one.whom == "half":
            halves = self.connection.halves if isinstance(self.connection, Here) else []
            return halves[0] if halves else 0
        try:
            fields = fields_of(self.base / one.jid)
            pid, birth = fields[one.whom].split()
            # By its number alone it could be another process by now.
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, KeyError, ValueError):
            return 0
        return int(pid) if stat[19] == birth else 0


def hosts_of(
    kinds: tuple[tuple[HostKind, str], ...], place: Path, ground: SharedHosts, stack: ExitStack
) -> list[EpisodeHost]:
    """The hosts of an episode, in an empty directory of their own."""
    return list(_made(kinds, place, ground, stack))


def _made(
    kinds: tuple[tuple[HostKind, str], ...], place: Path, ground: SharedHosts, stack: ExitStack
) -> Iterator[EpisodeHost]:
    for number, (kind, shell) in enumerate(kinds):
        mine = place / f"host{number}"
        mine.mkdir()
        path, offset = _programs(mine / "bin", shell)
        name = os.uname().nodename
        if kind is HostKind.SSH:
            lab, wire = ground.sshd()
            connection = connection_to(lab, "host", wire=wire, retry_for=5.0)
            stack.callback(connection.close)
            yield EpisodeHost(kind, name, mine / "jobs", connection, wire=wire)
        elif kind is HostKind.SMALL:
            small = stack.enter_context(disk(mine / "disk", _DISK))
            yield EpisodeHost(kind, name, small / "jobs", Here(path), small=small, offset=offset)
        elif kind in (HostKind.CONTAINER, HostKind.TWIN):
            name = f"box{number}"
            prepare = f"hostname {name}"
            if kind is HostKind.TWIN:
                (mine / "stat").write_text(_TWINS)
                prepare += f" && mount --bind {quote(str(mine / 'stat'))} /proc/1/stat"
            space = stack.enter_context(namespace(prepare))
            yield EpisodeHost(kind, name, place / "jobs", Here(path, *space.front), offset=offset)
        else:
            yield EpisodeHost(kind, name, mine / "jobs", Here(path), offset=offset)


def _programs(place: Path, shell: str) -> tuple[str, Path]:
    """A PATH in which `sh` is that shell and `date` can lie, and the file that says by how much."""
    place.mkdir()
    offset = place / "offset"
    offset.write_text("0")
    paths = os.environ["PATH"].split(":")
    program = next(path for each in paths if (path := Path(each) / shell).exists())
    (place / "sh").symlink_to(program)
    date = next(path for each in paths if (path := Path(each) / "date").exists())
    (place / "date").write_text(DATE.format(date=date, offset=offset))
    (place / "date").chmod(0o755)
    return f"{place}:{os.environ['PATH']}", offset
