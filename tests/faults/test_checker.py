"""The checker of what is reported: it finds nothing on the product, and finds everything that is made wrong for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from faults.checker.campaign import Checker, Figures, all_points, campaign, seeds
from faults.checker.command import CommandRun
from faults.checker.episode import ground_at
from faults.checker.history import EpisodeHistory, Reported
from faults.checker.judge import RULES, violations
from faults.checker.plan import Break, Deed, Does, EpisodePlan, HostKind, Op, PlannedJob, drawn
from faults.checker.reduce import reduced
from faults.checker.show import write
from faults.host.points import NoSuchPoint, act_at, resized
from remotejobs.agent import request
from remotejobs.connections.base import Connection, Question, Reply
from remotejobs.errors import ConnectionLost, JobExists, JobNotFound, OtherHost, StartFailed
from remotejobs.model import Job, Record, State

pytestmark = pytest.mark.faults


def test_a_minute_of_everything_at_once_finds_no_word_that_is_not_true(tmp_path: Path) -> None:
    figures = campaign(seed=1, seconds=45, place=tmp_path, except_for=(), report=lambda _: None)
    assert [str(each) for failure in figures.failures for each in failure.found] == []
    assert figures.episodes and figures.asked.total() > 20 * figures.episodes / 2


def op(what: str, at: float = 0.0, *, by: int = 0, host: int = 0, deed: Deed | None = None, variant: int = 0) -> Op:
    return Op(by, at, host, what, "" if what in ("list", "clean") else "j0", variant, deed=deed)


def plan_of(*ops: Op, does: Does = Does.STAYS, kinds: tuple[HostKind, ...] = (HostKind.LOCAL,)) -> EpisodePlan:
    return EpisodePlan("of a test", tuple((kind, "dash") for kind in kinds), (PlannedJob("j0", does),), ops)


# A half that moves directories by their name alone.
BY_NAME = {
    b'rj_named() { [ . -ef "$dir" ]; }': b"rj_named() { :; }",
    b"if rj_bar; then": b"if rj_bar || :; then",
    b"rj_claim() {": b"rj_claim() {\nreturn 0",
}
# The start hangs with all its files written and nothing to see it yet; meanwhile its job is killed and started again.
HUNG = (op("start", deed=Deed("rj_detach:1", 2.5)), op("kill", 0.8, by=1), op("start", 1.2, by=1), op("poll", 4.5))


@dataclass(slots=True)
class Mutated:
    """A connection to hosts whose half lacks something."""

    inner: Connection
    changes: dict[bytes, bytes]
    changed: set[bytes]
    host: str = "here"

    def ask(self, question: Question) -> Reply:
        script = question.script
        for old, new in self.changes.items():  # a request holds only what it calls
            self.changed |= {old} if old in script else set()
            script = script.replace(old, new)
        return self.inner.ask(replace(question, script=resized(script)))

    def close(self) -> None:
        self.inner.close()


def test_a_start_that_hangs_is_found_where_it_takes_anothers_directory_away_and_is_harmless_where_it_does_not(
    tmp_path: Path,
) -> None:
    changed: set[bytes] = set()

    def mutated(connection: Connection) -> Connection:
        return Mutated(connection, BY_NAME, changed)

    with ground_at(tmp_path) as ground:
        assert Checker(ground, ()).check(plan_of(*HUNG))[1] == ()
        # Where the machine has much else to do, the kill may come before the start.
        checks = (Checker(ground, (), mutated).check(plan_of(*HUNG, op("start", 4.6)))[1] for _ in range(5))
        assert any({"left", "once"} & {each.rule for each in found} for found in checks)
    assert changed == set(BY_NAME)


def test_a_plan_is_reduced_to_what_makes_it_fail() -> None:
    needed = (op("start", 1.0, deed=Deed("rj_detach:1", 1.0)), op("kill", 2.0))
    others = [op("poll", number / 10) for number in range(20)]
    plan = replace(plan_of(*others[:10], *needed, *others[10:]), breaks=(Break(1.0, 0, "clock", "j0"),))
    least = reduced(plan, lambda candidate: set(needed) <= set(candidate.ops), most=500)
    assert (least.ops, least.breaks) == (needed, ())


def test_the_same_seed_makes_the_same_plans_and_another_seed_others() -> None:
    points = all_points()
    names = [name for _, name in zip(range(5), seeds(7), strict=False)]
    assert [drawn(name, points) for name in names] == [drawn(name, points) for name in names]
    assert len({drawn(name, points).ops for name in names}) == 5
    assert drawn("8.0", points) != drawn("7.0", points)


def test_a_deed_stands_where_a_command_may_and_nowhere_else() -> None:
    script = request.start(Job(jid="j", cmd="true"), "").script
    assert act_at(script, "rj_launch:1", "echo here").count(b"echo here") == 1
    assert act_at(script, "adopt:1", "echo here").count(b"echo here".hex().encode()) == 1
    # Nowhere, awk's, half a line, and nowhere in what perl runs.
    for point in ("rj_nothing:1", "rj_launch:999", "rj_launch:0", "rj_ours:10", "rj_launch:13", "adopt:99"):
        with pytest.raises(NoSuchPoint):
            act_at(script, point, "echo here")


BASE = "/jobs"


def run(**changes: Any) -> CommandRun:
    """It began at 10, and ended by itself at 11."""
    usual = CommandRun(BASE, "j0", 100, "here", began=10.0, variant=0, ended=11.0, rc=0, went_on=False, alive=False)
    return replace(usual, **changes)


def record(state: State, **fields: Any) -> Record:
    usual = {"pid": None if state is State.QUEUED else 100, "rc": 0 if state is State.SUCCEEDED else None}
    return Record(host="here", jid="j0", state=state, **{**usual, **fields})


def reported(what: str, at: float, *records: Record, **others: Any) -> Reported:
    return Reported(op(what, variant=others.pop("variant", 0)), at, at + 0.1, records, **others)


START = reported("start", 9.9, record(State.RUNNING))
ENDED = record(State.SUCCEEDED, stdout=b"j0 0 100\n")
KILLED = record(State.KILLED, rc=143, signal="TERM", msg="killed on request; its process tree is proven empty")
GONE = record(State.LOST, cause="gone")
NEVER = record(State.LOST, cause="never", pid=None)
SUPERVISOR_KILLED = (10.5, Break(0.5, 0, "kill", "j0", "supervisor"))
KILL = reported("kill", 12, KILLED)

TRUE = {
    "it ended by itself": ([START, reported("poll", 12, ENDED)], [run()]),
    "it was killed": ([START, KILL, reported("poll", 13, KILLED)], [run(ended=None, rc=None)]),
    "cleaned and run again": (
        [START, reported("clean", 12, ENDED), reported("start", 13, record(State.RUNNING, pid=200))],
        [run(), run(pid=200, began=13.05)],
    ),
    "cleaned away": (
        [START, reported("clean", 12, ENDED), reported("poll", 13, error=JobNotFound("h", "no"))],
        [run()],
    ),
}
# What is not true, by the rule that says so.
FALSE = {
    "once": ([START], [run(), run(pid=200, began=10.5)]),
    "command": ([reported("start", 9.9, record(State.RUNNING), variant=1)], [run()]),
    "end": ([START, reported("poll", 10.5, ENDED)], [run(ended=12.0)]),
    "output": ([START, reported("poll", 12, replace(ENDED, stdout=b"j0 0"))], [run()]),
    "ended": ([START, reported("poll", 12, KILLED)], [run()]),
    "proven": ([START, replace(KILL, alive=frozenset({("here", 100)}))], [run()]),
    "next": ([START, KILL], [run(went_on=True)]),
    "lost": ([START, reported("poll", 12, GONE)], [run()]),
    "there": ([START, reported("poll", 12, error=JobNotFound("h", "no"))], [run()]),
    "changed": ([START, reported("poll", 12, ENDED), reported("poll", 13, replace(ENDED, rc=3))], [run()]),
    "queued": ([START, reported("poll", 12, record(State.QUEUED))], [run()]),
    "line": ([START], [run(), replace(run(), pid=200, jid="j1", began=10.5)]),
    "host": ([START], [run(host="there")]),
    "refused": ([START, reported("start", 12, error=StartFailed("h", "for no reason"))], [run()]),
    "left": ([START], [run()]),
}


def history_of(case: tuple[list[Reported], list[CommandRun]], **others: Any) -> EpisodeHistory:
    plan = plan_of(op("start"), does=Does.STANDS)
    plan = replace(plan, jobs=(*plan.jobs, PlannedJob("j1", Does.STANDS)))
    return EpisodeHistory(plan, ("here",), (BASE,), reported=case[0], runs=case[1], **others)


@pytest.mark.parametrize("case", TRUE)
def test_what_is_true_is_no_violation(case: str) -> None:
    assert violations(history_of(TRUE[case])) == []


@pytest.mark.parametrize("rule", RULES)
def test_what_is_not_true_is_found_by_its_rule(rule: str) -> None:
    history = history_of(FALSE[rule], left=["a process"] if rule == "left" else [])
    assert rule in {each.rule for each in violations(history)}


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("lost", reported("poll", 12, NEVER)),
        ("lost", reported("poll", 12, replace(NEVER, cause="damaged"))),
        ("lost", reported("poll", 12, replace(NEVER, cause="disk_full"))),
        ("ended", reported("poll", 12, replace(GONE, cause="rebooted"))),
        ("changed", reported("poll", 13, record(State.RUNNING))),
        ("there", reported("list", 12)),
        ("refused", reported("start", 12, error=JobExists("h", "another"))),
        ("refused", reported("poll", 12, error=ConnectionLost("h", "for no reason"))),
        ("host", reported("poll", 12, error=OtherHost("h", "belongs to another"))),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.op.what} {value.error or value.records}"[:40],
)
def test_other_words_that_are_not_true_are_found_too(rule: str, answer: Reported) -> None:
    assert rule in {
        each.rule for each in violations(history_of(([START, reported("poll", 11.5, ENDED), answer], [run()])))
    }


def test_what_a_fault_explains_is_no_violation() -> None:
    gone = history_of(([START, reported("poll", 12, GONE)], [run(ended=None)]), broken=[SUPERVISOR_KILLED])
    assert violations(gone) == []
    refused = ([START, reported("poll", 12, error=ConnectionLost("h", "cut"))], [run()])
    assert violations(history_of(refused, broken=[(11.9, Break(1.0, 0, "cut"))])) == []


def test_the_figures_stand_between_their_marks(tmp_path: Path) -> None:
    document = tmp_path / "faults.md"
    document.write_text("Before.\n<!-- checker -->\nold\n<!-- /checker -->\nAfter.\n")
    figures = Figures(seed=7, seconds=60.0)
    figures.add(history_of(TRUE["it was killed"]))
    write(figures, document)
    first, _, _, _, *rows, _, last = document.read_text().splitlines()
    assert (first, last) == ("Before.", "After.")
    assert rows[0] == "| histories | 1 | seed 7, 60 s |"
    assert rows[1].startswith("| operations | 3 |")
