"""Every fault, with few tries; the slow set makes many. And the counting itself can say "lost" and "double"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

from faults.host import trees
from faults.network import connections
from faults.network.transports import ProgramConnection, jobs_at
from faults.oracle import short
from faults.suite import FAULTS, named, run
from faults.table import write
from faults.trial import SURVIVED, Fault, FaultRow, Trial, Try, TryOutcome, lost
from remotejobs.model import Record, State

pytestmark = pytest.mark.faults


# What a few tries would show is shown elsewhere too, and they would take long.
ELSEWHERE = {
    "everything 2 s late": "below, where it is less late",
    "clock jumps by an hour or a day": "tests/vm/test_clock.py, by a real clock",
    "supervisor killed": "tests/shell/test_ending.py",
    "supervisor stopped": "tests/shell/test_ending.py",
}
LATE = Fault(name="everything 0.3 s late", proven="", small=3, full=3, run=partial(connections.delayed, late=0.3))


@pytest.mark.parametrize(
    "fault", [*(fault for fault in FAULTS if fault.name not in ELSEWHERE), LATE], ids=lambda fault: fault.name
)
def test_no_job_is_lost_or_runs_twice(fault: Fault) -> None:
    row = run(fault, seed=1, tries=fault.small)
    assert row.reasons == []
    assert row.whole


@pytest.mark.slowest
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_job_is_lost_or_runs_twice_in_many_tries(fault: Fault) -> None:
    row = run(fault, seed=1, tries=fault.full)
    assert row.reasons == []
    assert row.whole


def test_only_faults_that_there_are_are_shown_elsewhere() -> None:
    assert set(ELSEWHERE) <= {fault.name for fault in FAULTS}


def test_a_command_that_ran_twice_is_counted_as_double(tmp_path: Path) -> None:
    oracle = short(tmp_path, "job", Random(1))
    jobs = jobs_at(ProgramConnection(), tmp_path / "one")
    jobs.start(oracle.job)
    record = jobs.record("job", wait=60)
    assert oracle.judge(record).verdict is TryOutcome.SURVIVED
    again = jobs_at(ProgramConnection(), tmp_path / "two")
    again.start(oracle.job)
    assert oracle.judge(again.record("job", wait=60)).verdict is TryOutcome.DOUBLE


def test_a_command_that_never_ran_and_an_end_that_is_not_true_are_counted_as_lost(tmp_path: Path) -> None:
    oracle = short(tmp_path, "job", Random(1))
    reported = Record(host="h", jid="job", state=oracle.state, rc=oracle.rc, stdout=oracle.stdout)
    assert oracle.judge(reported).verdict is TryOutcome.LOST
    oracle.ran.write_text("ran\n")
    assert oracle.judge(reported).verdict is TryOutcome.SURVIVED
    assert oracle.judge(Record(host="h", jid="job", state=State.RUNNING)).verdict is TryOutcome.LOST


TREE = trees.ProcessTree(
    "tree", ("sudo",), by_root=True, reaped=True, in_namespace=False, limit=None, grace=0, awaited=True
)
REAPED = Record(host="h", jid="tree", state=State.KILLED, proof="reaped", msg="its process tree is proven empty")
SCAN = replace(REAPED, proof="scan", msg="no process of it was found")


@pytest.mark.parametrize(
    ("tree", "record", "alive", "went_on"),
    [
        (TREE, REAPED, ["7 sleep"], False),
        (TREE, replace(SCAN, msg=REAPED.msg), ["7 sleep"], False),
        (replace(TREE, reaped=False), REAPED, [], False),
        (TREE, REAPED, [], True),
        (TREE, replace(REAPED, state=State.LOST), [], False),
    ],
)
def test_a_tree_that_was_reported_wrongly_is_lost(
    tree: trees.ProcessTree, record: Record, alive: list[str], went_on: bool
) -> None:
    assert trees.judged(tree, record, alive, went_on=went_on).verdict is TryOutcome.LOST


@pytest.mark.parametrize(
    ("record", "alive", "way"),
    [
        (REAPED, [], "reaped"),
        (SCAN, [], "scan"),
        (SCAN, ["7 sleep"], "scan though a process lived"),
        (replace(REAPED, proof="", survivors="7(sleep)", msg="STILL ALIVE"), ["7 sleep"], "a survivor named"),
    ],
)
def test_of_a_tree_whose_end_was_reported_rightly_the_kind_of_proof_is_counted(
    record: Record, alive: list[str], way: str
) -> None:
    assert trees.judged(TREE, record, alive, went_on=False) == Try(TryOutcome.SURVIVED, way)


def test_the_document_keeps_the_rows_of_faults_that_were_not_tried_now_and_of_no_others(tmp_path: Path) -> None:
    document = tmp_path / "faults.md"
    document.write_text("Before.\n<!-- table -->\n| renamed since | 1 |\n<!-- /table -->\nAfter.\n")
    one, two = (FaultRow(fault, seed=7) for fault in FAULTS[:2])
    one.add(lost("why"))
    for _ in range(FAULTS[1].full):
        two.add(Try(TryOutcome.SURVIVED, "unseen"))
    write([two], document)
    write([one], document)
    first, *middle, last = document.read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in middle[3:-1]]
    assert (first, last) == ("Before.", "After.")
    assert [(row[:5], row[6]) for row in rows] == [
        ([FAULTS[0].name, "1", "0", "1", "0"], "fewer, seed 7, 0 s"),
        ([FAULTS[1].name, "200", "200", "0", "0"], "full, seed 7, 0 s; 200 unseen"),
    ]


def test_the_same_seed_makes_the_same_choices() -> None:
    seen: list[list[float]] = []

    def choose(trial: Trial) -> Iterator[Try]:
        seen.append([trial.chance.random() for _ in range(3)])
        yield SURVIVED

    fault = Fault(name="x", proven="", small=1, full=1, run=choose)
    for seed in (1, 1, 2):
        run(fault, seed, 1)
    assert seen[0] == seen[1] != seen[2]


def test_an_unknown_fault_is_named() -> None:
    with pytest.raises(LookupError, match="no fault is called like xyz; there are: controller killed in start"):
        named(["xyz"])
