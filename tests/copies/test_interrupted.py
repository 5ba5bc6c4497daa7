"""Whatever stops a copy on its way, no copy is claimed that is not there, and the next run finds what is."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from lab.servers.sshd import SshLab
from remotejobs.agent.shell import command_of
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, report_of
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.copies import send
from remotejobs.operations.backup.copies.send import CopyOutcome, copy_backups
from tests.awaiting import await_true
from tests.copies.conftest import Key, Places
from tests.steps import Steps, lose

Back_up = Callable[[BackupPlan, Item], Record]
Found = Callable[[str, Path], list[CatalogueEntry]]


def seen(found: Found, places: Places) -> list[CatalogueEntry]:
    """The copies that are there, once all that is said of them was seen to be so."""
    copies = [entry for entry in found("vault", places.copies) if entry.good]
    sums = {entry.path: hashlib.sha256(Path(entry.path).read_bytes()).hexdigest() for entry in copies}
    assert all(entry.record and entry.record["sha256"] == sums[entry.path] for entry in copies)
    noted = [copied for entry in found("source", places.backups) for copied in entry.copies]
    assert all(sums[copied.path] == copied.sha256 for copied in noted)
    return copies


@contextmanager
def arrivals(env: dict[str, str]) -> Iterator[None]:
    """The jobs that check what arrived have `env`."""
    exports = [f"export {name}='{value}'" for name, value in env.items()]

    def with_env(text: str, *words: str, before: Any = ()) -> str:
        return command_of(text, *words, before=[*exports, *before])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(send, "command_of", with_env)
        yield


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slowest)])
def test_a_place_that_is_lost_before_any_step_of_an_arrival_claims_no_copy_and_gets_it_later(
    every: int,
    fleet: Fleet,
    lab: SshLab,
    inventory: Path,
    back_up: Back_up,
    found: Found,
    places: Places,
    item: FilesItem,
) -> None:
    plan = places.plan(None, files=[item], place={"retention": {"daily": 1, "weekly": 0, "monthly": 0}})
    back_up(plan, item)
    assert copy_backups(fleet, "source", plan, item).problems == ()
    assert report_of(back_up(plan, item)).kept == 1
    before = places.base / "before"
    for each in (places.backups, places.copies):
        shutil.copytree(each, before / each.name)
    steps, stopped = Steps(places.base), 0
    with Fleet(load_inventory(inventory).select("all")) as other, ThreadPoolExecutor() as threads:
        for number in count(1, every):
            with arrivals(steps.env(f"{number} *")):
                copying = threads.submit(copy_backups, other, "source", plan, item)
                await_true(lambda: steps.reached.exists() or copying.done())  # noqa: B023
                if not steps.reached.exists():
                    break
                stopped += 1
                (job,) = [job for job in fleet.jobs("vault").list() if job.state is State.RUNNING]
                lose(job)
                lab.drop_connections("vault")
                (problem,) = copying.result().problems
            assert "not copied to offsite" in problem and "lost" in problem, steps.last
            assert len(seen(found, places)) >= 1, steps.last
            assert copy_backups(fleet, "source", plan, item).problems == (), steps.last
            newest, *_ = found("source", places.backups)
            assert [copied.path for copied in newest.copies] == [copy.path for copy in seen(found, places)]
            for each in (places.backups, places.copies):
                shutil.rmtree(each)
                shutil.copytree(before / each.name, each)
    assert copying.result().problems == () and stopped > 8 / every


@pytest.mark.parametrize("encrypted", [True, False])
def test_two_runs_that_send_the_same_at_once_both_have_it(
    encrypted: bool, inventory: Path, back_up: Back_up, found: Found, places: Places, item: FilesItem, age: Key
) -> None:
    plan = places.plan({"age": [age.recipient]} if encrypted else None, files=[item], place={"rate_kib": 2048})
    back_up(plan, item)
    together = Barrier(2)

    def run(_number: int) -> CopyOutcome:
        with Fleet(load_inventory(inventory).select("all")) as fleet:
            together.wait()
            return copy_backups(fleet, "source", plan, item)

    with ThreadPoolExecutor(2) as threads:
        outcomes = [*threads.map(run, range(2))]
    assert [outcome.problems for outcome in outcomes] == [(), ()]
    (copy,) = seen(found, places)
    assert [[copied.path for copied in outcome.copies] for outcome in outcomes] == [[copy.path]] * 2
    assert not [*(places.copies / ".incoming").iterdir()]
