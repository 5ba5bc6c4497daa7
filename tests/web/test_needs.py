"""What needs a person: only that, and each with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from remotejobs.errors import AuthenticationFailed, TimedOut
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.locks import Holder
from remotejobs.model import Record, State
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.flow_runs import FlowRun, FlowRuns
from remotejobs.web.live_fleet import HostSeen
from remotejobs.web.needs import Need, needs
from remotejobs.web.run_watch import RunsSeen
from remotejobs.web.upkeep import HeldLock, Upkeep

RUN = "0e9d3a0a-1111-4222-8333-123456789abc"
SERVER = FlowRuns({"PREFECT_API_URL": "http://127.0.0.1:4200/api"})
PAGE = f"http://127.0.0.1:4200/v2/runs/flow-run/{RUN}"
RUNNING = Record(host="db1", jid=f"dump.0123.{RUN}", state=State.RUNNING, label="dump", delta=60.0)


class Kept(Upkeep):
    """What hosts would have said of their locks and backups."""

    def __init__(
        self,
        locks: list[HeldLock] | None = None,
        backups: list[CatalogueEntry] | None = None,
        errors: dict[str, str] | None = None,
    ) -> None:
        super().__init__(Fleet(load_inventory("db1,").select("all")), "/b")
        self._said = locks or [], backups or [], errors or {}

    @property
    def locks(self) -> list[HeldLock]:
        return self._said[0]

    @property
    def backups(self) -> list[CatalogueEntry]:
        return self._said[1]

    @property
    def errors(self) -> dict[str, str]:
        return self._said[2]


def run(state: str, *, over: bool, message: str = "") -> FlowRun:
    return FlowRun(RUN, "nightly dump", state, over, "2026-11-30T02:00:00Z", message)


def found(
    *hosts: HostSeen, runs: RunsSeen | None = None, upkeep: Upkeep | None = None, server: FlowRuns = SERVER
) -> list[Need]:
    command = lambda *words: " ".join(["remotejobs", *words])  # noqa: E731
    return needs(hosts, runs or RunsSeen(), server, upkeep or Kept(), command)


def test_nothing_is_needed_of_jobs_that_run_fail_or_succeed() -> None:
    failed = replace(RUNNING, jid="other", state=State.FAILED, rc=1)
    going = RunsSeen({RUN: run("Running", over=False)})
    assert found(HostSeen("db1", (RUNNING, failed)), runs=going) == []


def test_a_job_that_runs_after_its_run_is_over_is_named_with_the_command_that_ends_it() -> None:
    (need,) = found(HostSeen("db1", (RUNNING,)), runs=RunsSeen({RUN: run("Cancelled", over=True)}))
    assert (need.kind, need.host, need.page) == ("run is over", "db1", PAGE)
    assert "dump is running, and its run nightly dump is over: Cancelled since" in need.text
    assert need.command == f"remotejobs kill db1 {RUNNING.jid}"


def test_runs_that_wait_and_migrations_that_left_hosts_unsettled_lead_to_prefect() -> None:
    waiting = run("Suspended", over=False, message="Waits for approval until 2026-12-01 02:00 UTC")
    broken = run("RollbackFailed", over=True, message="db1: the rollback failed")
    first, second = found(runs=RunsSeen(waiting=(waiting,), unsettled=(broken,)))
    assert (first.kind, first.page) == ("approval", PAGE)
    assert "Waits for approval until 2026-12-01 02:00 UTC" in first.text
    assert (second.kind, second.page) == ("migration", PAGE)
    assert "RollbackFailed. db1: the rollback failed" in second.text


def test_a_lock_whose_run_goes_on_is_only_told_and_one_without_comes_with_its_release() -> None:
    held = HeldLock("db1", Holder(RUN, "migration of db1", "", "2026-11-30T02:00:00Z", "/l"), ())
    (calm,) = found(runs=RunsSeen({RUN: run("Running", over=False)}), upkeep=Kept([held]))
    assert (calm.calm, calm.command) == (True, "")
    (calm,) = found(upkeep=Kept([replace(held, jobs=("migrate.1",))]))
    assert calm.calm
    (left,) = found(runs=RunsSeen({RUN: run("Crashed", over=True)}), upkeep=Kept([held]))
    assert (left.calm, left.command) == (False, "remotejobs lock release db1 --reason ...")
    assert "its run is Crashed since 2026-11-30T02:00:00Z, no job of it running" in left.text


def test_a_backup_that_could_not_be_tested_says_why() -> None:
    made = datetime(2026, 11, 30, tzinfo=UTC)
    entry = CatalogueEntry(
        host="db1", directory="/b", file="x", item="shop", made=made, age=1, bytes=1, untested="no space"
    )
    (need,) = found(upkeep=Kept(backups=[entry]))
    assert (need.kind, need.text) == ("backup", "the newest backup of shop is untested: no space")


def test_a_host_that_may_be_rebooting_is_not_yet_a_matter_for_a_person_and_one_that_refuses_is_at_once() -> None:
    away = TimedOut("db1", "no answer within 10 s")
    assert found(HostSeen("db1", error=away, unreachable_for=299)) == []
    (need,) = found(HostSeen("db1", error=away, unreachable_for=301))
    assert (need.kind, need.host, need.text) == ("unreachable", "db1", "no answer within 10 s")
    refused = [HostSeen(f"web{n}", error=AuthenticationFailed(f"web{n}", "the key was refused")) for n in (1, 2, 3)]
    (need,) = found(*refused)
    assert (need.host, need.text) == ("web[1-3]", "the key was refused")


def test_what_could_not_be_asked_is_said_and_not_taken_for_all_is_well() -> None:
    first, second = found(runs=RunsSeen(error="the server did not answer"), upkeep=Kept(errors={"db1": "db1: no"}))
    assert first.calm and "the server did not answer; what is shown of runs may be old" in first.text
    assert second.calm and second.text == "locks and backups are not known of 1 host; db1: no"


def test_survivors_of_a_kill_and_overdue_jobs_are_named() -> None:
    killed = replace(RUNNING, jid="k", state=State.KILLED, survivors="77(nfsd)")
    slow = replace(RUNNING, jid="s", delta=90_000.0)
    kinds = {need.kind: need.text for need in found(HostSeen("db1", (killed, slow)))}
    assert "77(nfsd)" in kinds["survivors"]
    assert "dump: running for 1d01h" in kinds["overdue"]


def test_that_nothing_is_known_of_runs_is_said_where_jobs_belong_to_some() -> None:
    (need,) = found(HostSeen("db1", (RUNNING,)), server=FlowRuns({}))
    assert (need.kind, need.calm) == ("Prefect", True)
    assert "nor whether one waits for an approval" in need.text and "PREFECT_API_URL" in need.remedy
    assert found(HostSeen("db1", (replace(RUNNING, jid="dump"),)), server=FlowRuns({})) == []
