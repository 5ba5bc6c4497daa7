"""Two major versions of PostgreSQL on one host: each is dumped, tested and restored by programs that fit it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.servers.postgres import Postgres, newer_programs
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import PostgresItem, ServerItem, report_of
from remotejobs.operations.backup.verify import Verify, verify_job

Back_up = Callable[..., Record]
Run = Callable[..., Record]
PURCHASES = "SELECT count(*), sum(cents) FROM purchase"


def said(record: Record) -> str:
    return (record.stdout + record.stderr).decode()


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with newer_programs() as directory:
        yield directory


@pytest.fixture(scope="module")
def newer(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("newer"), programs=programs) as server:
        yield server


@pytest.fixture
def reached(newer: Postgres, programs: Path) -> dict[str, Any]:
    """How the newer server is reached."""
    where = {"server": newer.host, "port": newer.port, "user": newer.user, "passfile": str(newer.passfile)}
    return {**where, "programs": str(programs)}


def orders(**others: Any) -> PostgresItem:
    return PostgresItem.model_validate({"name": "newer", "hosts": "here", "database": "orders", **others})


@pytest.mark.parametrize(
    "form",
    [{}, {"format": "directory", "jobs": 2}, {"format": "plain", "options": ["--no-owner", "--no-privileges"]}],
    ids=["custom", "directory", "plain"],
)
def test_each_server_is_backed_up_and_tested_by_its_own_version(
    form: dict[str, Any],
    back_up: Back_up,
    restore: Run,
    newer: Postgres,
    reached: dict[str, Any],
    database: Callable[..., PostgresItem],
) -> None:
    versions = []
    for item in (database("orders", restore_test=True, **form), orders(restore_test=True, **form, **reached)):
        record = back_up(item)
        assert report_of(record).restore_tested, said(record)
        versions.append(json.loads(Path(f"{report_of(record).path}.json").read_text())["versions"])
    assert [each.split(".")[0] for each in versions[1]] == ["server 18", "pg_dump 18"]
    assert not versions[0][0].startswith("server 18")
    target = f"again_{form.get('format', 'custom')}"
    done = restore("newer", database=target, **reached)
    assert done.state is State.SUCCEEDED, said(done)
    assert newer.query(PURCHASES, target) == newer.query(PURCHASES, "orders")


def test_all_databases_of_a_newer_server_are_tested_with_its_globals(
    back_up: Back_up, newer: Postgres, reached: dict[str, Any]
) -> None:
    newer.query("CREATE ROLE clerk")
    newer.query("GRANT SELECT ON purchase TO clerk", "orders")
    item = ServerItem.model_validate(
        {
            "name": "all18",
            "hosts": "here",
            "exclude": ["again_*"],
            "restore_test": True,
            "restore_reserve_mib": 0,
            **reached,
        }
    )
    record = back_up(item)
    assert report_of(record).restore_tested, said(record)


def test_older_programs_are_refused_in_words_and_leave_nothing(
    back_up: Back_up, restore: Run, reached: dict[str, Any], directory: Path, jobs: HostJobs, postgres: Postgres
) -> None:
    record = back_up(orders(**reached | {"programs": ""}))
    assert record.state is State.FAILED
    assert "server version mismatch" in said(record)
    assert report_of(back_up(orders(**reached))).path
    where = {"server": postgres.host, "port": postgres.port, "user": postgres.user, "passfile": str(postgres.passfile)}
    done = restore("newer", database="down", **where)
    assert done.state is State.FAILED
    assert "unsupported version" in done.stderr.decode()
    assert "down" not in postgres.query("SELECT datname FROM pg_database")
    verify = Verify(directory=str(directory), restore_one_in=1, restore_reserve_mib=0)
    jobs.start(verify_job(verify, jid="older"))
    assert b"unread=1\n" in jobs.record("older", wait=60).stdout
    jobs.start(verify_job(verify.model_copy(update={"programs": reached["programs"]}), jid="fitting"))
    assert b"unread=0\nrestored=1\n" in jobs.record("fitting", wait=60).stdout


def test_a_dump_of_the_older_version_is_restored_to_the_newer_one(
    back_up: Back_up,
    restore: Run,
    database: Callable[..., PostgresItem],
    newer: Postgres,
    postgres: Postgres,
    reached: dict[str, Any],
) -> None:
    back_up(database("orders", restore_test=True))
    done = restore("orders", database="upgraded", **reached)
    assert done.state is State.SUCCEEDED, said(done)
    assert newer.query(PURCHASES, "upgraded") == postgres.query(PURCHASES, "orders")
