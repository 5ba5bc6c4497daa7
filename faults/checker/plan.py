"""What is to happen in one episode of a few seconds: which requests come when, and what breaks. All of it is data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

SPAN = 4.0  # seconds in which everything begins
SHELLS = ("dash", "busybox", "bash", "mksh", "yash")
CONTROLLERS = 3


class HostKind(StrEnum):
    """What kind of host."""

    LOCAL = "local"  # `sh -s` of one of the shells
    SSH = "ssh"  # a real sshd, over a wire that can be cut
    CONTAINER = "container"  # a host with a name and processes of its own; two of them share their home
    TWIN = "twin"  # a container that was born in the same hundredth of a second as the other
    SMALL = "small"  # local, on a disk that can be filled


class Does(StrEnum):
    """What the command of a job does."""

    ENDS = "ends"  # by itself, with an exit code of its own
    STAYS = "stays"  # until it is ended, and has children in and out of its session
    STEPS = "steps"  # waits for a child, and would go on to another command
    LIMITED = "limited"  # as `steps`, and its time limit ends it
    STANDS = "stands"  # ends by itself, once it has the lock


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job: `variant` 1 is another command under the same jid."""

    jid: str
    does: Does
    rc: int = 0
    lasts: float = 0.2


@dataclass(frozen=True, slots=True)
class Deed:
    """Something at a named point of the agent that one request brings: a pause, or the death of the process there."""

    point: str
    pause: float | None

    def __str__(self) -> str:
        return f"{'dies' if self.pause is None else f'pauses {self.pause:.1f} s'} at {self.point}"


@dataclass(frozen=True, slots=True)
class Op:
    """Controller `by` asks a host at `at` seconds: start, poll, kill, clean or list."""

    by: int
    at: float
    host: int
    what: str
    jid: str = ""
    variant: int = 0
    wait: int = 0
    grace: int = 0
    deed: Deed | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """Something breaks at `at` seconds: `what` is stop, kill, cut, fill or clock; `whom` a process of the job `jid`."""

    at: float
    host: int
    what: str
    jid: str = ""
    whom: str = ""
    lasts: float = 0.5


@dataclass(frozen=True, slots=True)
class EpisodePlan:
    """An episode."""

    seed: str
    hosts: tuple[tuple[HostKind, str], ...]
    jobs: tuple[PlannedJob, ...]
    ops: tuple[Op, ...]
    breaks: tuple[Break, ...] = field(default=())

    def job(self, jid: str) -> PlannedJob:
        return next(job for job in self.jobs if job.jid == jid)


_GROUNDS: tuple[tuple[HostKind, ...], ...] = (
    (HostKind.LOCAL, HostKind.LOCAL),
    (HostKind.LOCAL, HostKind.SSH),
    (HostKind.LOCAL, HostKind.SMALL),
    (HostKind.CONTAINER, HostKind.CONTAINER),
    (HostKind.TWIN, HostKind.TWIN),
)
_ASKED = {"start": 9, "poll": 6, "kill": 4, "clean": 2, "list": 2}
_WHOM = ("supervisor", "timer", "command", "half")
# Read again and again by every other function, or not in the requests here.
_NOT_THERE = ("rj_stat", "rj_clock", "rj_load", "rj_drawn", "rj_unit", "rj_no_unit", "rj_scope", "rj_base", "rj_clear")
# Where most requests of the kind come by; in the others none may, and the deed is not done.
_LIKELY = {
    "start": (
        "rj_start",
        "rj_detach",
        "rj_supervise",
        "adopt",
        "rj_launch",
        "rj_attach",
        "rj_finish",
        "rj_queue",
        "rj_draw",
    ),
    "poll": ("rj_status", "rj_state", "rj_settled", "rj_print", "rj_wait_jids"),
    "kill": ("rj_kill", "rj_void", "rj_prove", "rj_end", "rj_sweep", "rj_scan", "rj_settled", "rj_dequeue"),
    "clean": ("rj_clean", "rj_over", "rj_claim", "rj_take_away", "rj_state"),
    "list": ("rj_list", "rj_state", "rj_print"),
}


def drawn(seed: str, points: tuple[str, ...]) -> EpisodePlan:
    """The episode of that seed; `points` are those of the agent."""
    chance = Random(seed)
    ground = chance.choice(_GROUNDS)
    hosts = tuple((kind, chance.choice(SHELLS)) for kind in ground)
    jobs = tuple(
        PlannedJob(f"j{n}", chance.choice(tuple(Does)), chance.choice((0, 0, 3, 77)), chance.uniform(0, 1.5))
        for n in range(chance.randint(1, 3))
    )
    ops = [_op(chance, points, hosts, jobs) for _ in range(chance.randint(8, 20))]
    breaks = [_break(chance, hosts, jobs) for _ in range(chance.randint(0, 4))]
    return EpisodePlan(
        seed, hosts, jobs, tuple(sorted(ops, key=lambda op: op.at)), tuple(sorted(breaks, key=lambda one: one.at))
    )


def _op(
    chance: Random, points: tuple[str, ...], hosts: tuple[tuple[HostKind, str], ...], jobs: tuple[PlannedJob, ...]
) -> Op:
    what = chance.choices(tuple(_ASKED), tuple(_ASKED.values()))[0]
    return Op(
        by=chance.randrange(CONTROLLERS),
        at=chance.uniform(0, SPAN),
        host=chance.randrange(len(hosts)),
        what=what,
        jid=chance.choice(jobs).jid if what in ("start", "poll", "kill") else "",
        variant=int(what == "start" and chance.random() < 0.1),
        wait=chance.choice((0, 0, 1, 2)) if what == "poll" else 0,
        grace=chance.choice((0, 0, 1)) if what == "kill" else 0,
        deed=_deed(chance, points, what) if chance.random() < 0.5 else None,
    )


def _deed(chance: Random, points: tuple[str, ...], what: str) -> Deed:
    there = {point.partition(":")[0] for point in points}
    likely = sorted(there & set(_LIKELY[what]))
    functions = likely if likely and chance.random() < 0.7 else sorted(there - set(_NOT_THERE))
    function = chance.choice(functions)
    point = chance.choice([point for point in points if point.startswith(f"{function}:")])
    return Deed(point, chance.uniform(0.3, 2.5) if chance.random() < 0.8 else None)


def _break(chance: Random, hosts: tuple[tuple[HostKind, str], ...], jobs: tuple[PlannedJob, ...]) -> Break:
    host = chance.randrange(len(hosts))
    ways: dict[HostKind, tuple[str, ...]] = {
        HostKind.SSH: ("cut", "stop", "kill"),
        HostKind.SMALL: ("fill", "fill", "kill"),
    }
    ways |= {HostKind.CONTAINER: ("clock",), HostKind.TWIN: ("clock",)}
    what = chance.choice(ways.get(hosts[host][0], ("stop", "kill", "clock")))
    whom = chance.choice(_WHOM) if what in ("stop", "kill") else ""
    return Break(chance.uniform(0.2, SPAN), host, what, chance.choice(jobs).jid, whom, chance.uniform(0.2, 1.5))
