"""All faults, in the order of the table, and one way to run them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from faults import kills, soak
from faults.host import disk, machine, namespace, supervisor, trees
from faults.host.processes import end_under
from faults.network import connections, sshd
from faults.trial import Fault, FaultRow, Trial

SCALES = ("small", "full")

_CONTROLLER = tuple(
    Fault(
        name=f"controller killed in {step}",
        proven=proven,
        small=5,
        full=200,
        run=partial(kills.controller_killed, step),
    )
    for step, proven in (
        ("start", "the next controller's start attaches or starts; once, same result"),
        ("poll", "the next controller sees the same result"),
        ("kill", "the next kill is proven, and nothing is left"),
        ("clean", "ran once, and the next clean takes it away"),
        ("life", "start, poll and kill by the next controller give the same result"),
    )
)

_ENDS_ALIKE = "no false failure; ran once, same result as without the fault"
_NETWORK = (
    Fault(name="connections cut", proven=_ENDS_ALIKE, small=10, full=200, run=connections.cut),
    Fault(name="connection half-open", proven=_ENDS_ALIKE, small=4, full=100, run=connections.half_open),
    Fault(name="everything 2 s late", proven=_ENDS_ALIKE, small=3, full=50, run=connections.delayed),
    Fault(name="10 % of connections reset", proven=_ENDS_ALIKE, small=8, full=300, run=connections.resets),
    Fault(
        name="cut in the middle of an answer", proven=_ENDS_ALIKE, small=6, full=200, run=connections.cut_in_an_answer
    ),
    Fault(
        name="network gone for good",
        proven="an error that names host and remedy after the deadline; the job ran once all the same",
        small=2,
        full=50,
        run=connections.gone_for_good,
    ),
)
_HOST = (
    Fault(name="sshd restarted", proven=_ENDS_ALIKE, small=8, full=200, run=sshd.restarted),
    Fault(name="100 connections, MaxStartups 10:30:60", proven=_ENDS_ALIKE, small=25, full=300, run=sshd.burst),
    Fault(
        name="disk full",
        proven="refused and not run, or its true end, or the cause disk_full",
        small=6,
        full=135,
        run=disk.full_disk,
    ),
    Fault(
        name="no inodes left",
        proven="refused and not run, or its true end, or the cause disk_full",
        small=3,
        full=135,
        run=disk.full_inodes,
    ),
    Fault(
        name="home read-only",
        proven="refused by that name; the same start runs once later",
        small=2,
        full=20,
        run=disk.read_only_home,
    ),
    Fault(
        name="clock jumps by an hour or a day",
        proven="limit, length and result as without",
        small=4,
        full=100,
        run=machine.clock_jumps,
    ),
    Fault(
        name="pid taken by a stranger",
        proven="lost: gone at once; a kill ends what is left and not the stranger",
        small=4,
        full=100,
        run=namespace.pid_reused,
    ),
    Fault(
        name="supervisor killed",
        proven="lost: gone at once; a kill ends what is left",
        small=4,
        full=100,
        run=supervisor.killed,
    ),
    Fault(
        name="supervisor stopped",
        proven="limit and kill hold, proven",
        small=4,
        full=100,
        run=supervisor.stopped,
    ),
    Fault(
        name="stubborn trees under load",
        proven="never proven while one lives: the kernel counts them; ended as asked, and no next command ran",
        small=6,
        full=500,
        run=trees.stubborn,
    ),
    Fault(
        name="out of memory",
        proven="failed by KILL, or lost: gone where the supervisor was taken",
        small=4,
        full=40,
        run=supervisor.out_of_memory,
    ),
    Fault(name="busybox without setsid", proven=_ENDS_ALIKE, small=4, full=40, run=machine.without_setsid),
    Fault(
        name="10,000 old results there",
        proven="each is reported and cleaned; a new job runs among them",
        small=100,
        full=10000,
        run=machine.many_old_results,
    ),
)

_SOAK = Fault(
    name="soak: 20 hosts, 10 minutes, everything breaks",
    proven="every job accounted for; no process, file handle or thread left",
    small=6,
    full=600,
    run=soak.soak,
)

FAULTS: Sequence[Fault] = (*_CONTROLLER, *_NETWORK, *_HOST, _SOAK)


def named(words: Sequence[str]) -> list[Fault]:
    """The faults whose names hold one of `words`; all of them when there are none. `LookupError` for no fault."""
    found = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    if not found:
        raise LookupError(f"no fault is called like {', '.join(words)}; there are: {', '.join(f.name for f in FAULTS)}")
    return found


def run(fault: Fault, seed: int, tries: int, report: Callable[[FaultRow], None] = lambda _: None) -> FaultRow:
    """Try one fault in a directory of its own; `report` is called as the row grows."""
    row, began = FaultRow(fault, seed), time.monotonic()
    # Some hosts are other users, who may enter the guard's directory.
    with TemporaryDirectory(prefix="faults-") as name:
        try:
            for one in fault.run(Trial(Path(name), tries, Random(f"{seed} {fault.name}"))):
                row.add(one)
                report(row)
        finally:
            end_under(Path(name))
    row.seconds = time.monotonic() - began
    return row
