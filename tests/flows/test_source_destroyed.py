"""The whole way: all kinds are backed up and copied, their host is destroyed, and a third host gets everything back."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.system import Secret

from lab.servers.mariadb import Mariadb
from lab.servers.postgres import Postgres, newer_programs
from lab.servers.sshd import SshLab
from remotejobs.operations.backup import BackupPlan, Restore
from remotejobs.prefect.flows.backup import backup
from remotejobs.prefect.flows.report_backups import report_backups
from remotejobs.prefect.flows.restore import restore
from remotejobs.prefect.tasks.access import Access
from tests.artifacts import table_of
from tests.copies.conftest import PROGRAMS

SOURCE, VAULT, THIRD = "db1", "db2", "files1"
BLOCK = "backup-identity"
ENTRIES = "SELECT count(*), md5(string_agg(sha256::text, '' ORDER BY n)) FROM entry"
FROM_SOURCE = {"copy_of": SOURCE, "identity_block": BLOCK, "directory": "safe", "reserve_mib": 0}
ROWS = "SELECT 'orders', count(*) FROM orders UNION ALL SELECT 'lines', count(*) FROM lines ORDER BY 1"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Two majors of PostgreSQL and a MariaDB for the source, and new ones for the third host."""
    with ExitStack() as stack:
        programs = stack.enter_context(newer_programs())
        made = {
            name: stack.enter_context(kind(tmp_path_factory.mktemp(name)))
            for name, kind in (("pg", Postgres), ("pg3", Postgres), ("my", Mariadb), ("my3", Mariadb))
        }
        for name in ("pg18", "pg18_3"):
            made[name] = stack.enter_context(Postgres(tmp_path_factory.mktemp(name), programs=programs))
        yield {**made, "programs": str(programs)}


@pytest.fixture
def identity(tmp_path: Path, prefect_server: Path) -> str:
    """A recipient, whose identity is in a Secret block."""
    path = tmp_path / "identity"
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    Secret(value=path.read_text()).save(BLOCK, overwrite=True)  # type: ignore[arg-type]
    return subprocess.run(["age-keygen", "-y", path], check=True, capture_output=True, text=True).stdout.strip()


def hashes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def seed(servers: dict[str, Any], home: Path) -> None:
    """What there is on the source before it is destroyed."""
    pg, my = servers["pg"], servers["my"]
    pg.query("CREATE DATABASE shop")
    pg.query("CREATE TABLE orders AS SELECT n, md5(n::text) AS text FROM generate_series(1, 5000) n", "shop")
    pg.query("CREATE TABLE lines AS SELECT n FROM generate_series(1, 300) n", "shop")
    servers["pg18"].query("CREATE DATABASE ledger")
    servers["pg18"].query(
        "CREATE TABLE entry AS SELECT n, sha256(n::text::bytea) FROM generate_series(1, 900) n", "ledger"
    )
    my.query("CREATE DATABASE wiki; CREATE TABLE wiki.page (n INT PRIMARY KEY, t TEXT) ENGINE = InnoDB")
    my.query("INSERT INTO page SELECT seq, SHA1(seq) FROM seq_1_to_700", "wiki")
    with closing(sqlite3.connect(home / "app.db")) as connection:
        connection.execute(
            "CREATE TABLE note AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 90) "
            "SELECT n FROM c"
        )
        connection.commit()
    (home / "site" / "deep").mkdir(parents=True)
    for number in range(30):
        (home / "site" / "deep" / f"page {number}").write_text(f"page {number}\n" * 100)


def reached_at(server: Postgres) -> dict[str, Any]:
    return {"server": server.host, "port": server.port, "user": server.user, "passfile": str(server.passfile)}


def plan_for(servers: dict[str, Any], recipient: str, repository: Path) -> BackupPlan:
    my = servers["my"]
    shop = {
        "name": "shop",
        "hosts": SOURCE,
        "database": "shop",
        "restore_test": True,
        "restore_reserve_mib": 0,
        **reached_at(servers["pg"]),
    }
    ledger = {
        **shop,
        "name": "ledger",
        "database": "ledger",
        "programs": servers["programs"],
        **reached_at(servers["pg18"]),
    }
    restic = {name: text.format(repository) for name, text in PROGRAMS["restic"].items() if name != "names"}
    reached = {"server": my.host, "port": my.port, "user": my.user, "passfile": str(my.option_file)}
    wiki = {
        "name": "wiki",
        "hosts": SOURCE,
        "database": "wiki",
        "restore_test": True,
        "restore_reserve_mib": 0,
        **reached,
    }
    return BackupPlan.model_validate(
        {
            "name": "nightly",
            "directory": "safe",
            "min_free_mib": 0,
            "databases": [shop, ledger],
            "mariadb": [wiki],
            "sqlite": [{"name": "app", "hosts": SOURCE, "path": "app.db"}],
            "files": [{"name": "site", "hosts": SOURCE, "base": ".", "paths": ["site"]}],
            "copies": [{"name": "offsite", "host": VAULT, "directory": "copies", "min_free_mib": 0}],
            "copy_commands": [{"name": "restic", **restic}],
            "encryption": {"age": [recipient]},
        }
    )


def test_everything_is_restored_on_a_third_host_after_the_source_was_destroyed(
    access: Access,
    lab: SshLab,
    servers: dict[str, Any],
    identity: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    home, third = lab.host(SOURCE).home, lab.host(THIRD).home
    pg, pg3, my, my3 = (servers[name] for name in ("pg", "pg3", "my", "my3"))
    pg18, pg18_3, repository = servers["pg18"], servers["pg18_3"], tmp_path / "restic"
    seed(servers, home)
    was = (pg.query(ROWS, "shop"), my.query("CHECKSUM TABLE wiki.page"), hashes(home / "site"))

    entries = pg18.query(ENTRIES, "ledger")

    made = ["restic", "-q", "-r", str(repository), "init"]  # once: several items go there at a time
    subprocess.run(made, check=True, env={**os.environ, "RESTIC_PASSWORD": "x"})
    plan = plan_for(servers, identity, repository)
    state = backup(access, plan, poll=1, return_state=True)
    rows = {str(row["item"]): row for row in table_of(state.state_details.flow_run_id)}
    assert {row["state"] for row in rows.values()} == {"succeeded"}, rows
    assert all(
        str(row["copies"]).startswith(f"offsite on {VAULT}, encrypted, seen whole 2") for row in rows.values()
    ), rows
    assert all("restic, encrypted, seen whole 2" in str(row["copies"]) for row in rows.values()), rows
    tested = ("pg_dump shop", "pg_dump ledger", "mariadb-dump wiki")
    assert [rows[item]["restore-tested"] for item in tested] == ["yes"] * 3

    month = f"{datetime.now(UTC):%Y-%m}"
    reported = report_backups(access, plan, month, f"{home}/{{month}}.md", return_state=True)
    text = (home / f"{month}.md").read_text()
    assert reported.data is not None and "**5** good backups of **5** items" in text
    assert text.count("offsite: 1, one last seen whole 2") == 5

    # The end of the source: its servers with their data, its files, all its backups, and the host itself.
    for server in (pg, pg18, my):
        server.destroy()
    for name in ("site", "safe"):
        shutil.rmtree(home / name)
    (home / "app.db").unlink()
    request.addfinalizer(partial(lab.start_host, SOURCE))
    lab.stop_host(SOURCE)

    wanted: list[dict[str, Any]] = [
        {"item": "shop", "database": "shop", **reached_at(pg3)},
        {"item": "wiki", "database": "wiki", "server": str(my3.socket), "user": "root"},
        {"item": "app", "to": "app"},
        {"item": "site", "to": "back"},
    ]
    for each in wanted:
        given = {"copy_on": VAULT, "copies": "copies", **each}
        restored = restore(access, THIRD, Restore.model_validate({**FROM_SOURCE, **given}), poll=1)
        assert isinstance(restored, list) and restored[0].report, each

    (file,) = (third / "app").iterdir()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*), sum(n) FROM note").fetchone() == (90, 4095)
    assert (pg3.query(ROWS, "shop"), my3.query("CHECKSUM TABLE wiki.page"), hashes(third / "back" / "site")) == was

    # The newer server's database, and from the files of one more copy: restic's.
    commands = {name: PROGRAMS["restic"][name].format(repository) for name in ("fetch", "names")}
    where = {"programs": servers["programs"], **reached_at(pg18_3)}
    for given in ({"item": "ledger", "database": "ledger", **where}, {"item": "site", "to": "again"}):
        restored = restore(access, THIRD, Restore.model_validate({**FROM_SOURCE, **commands, **given}), poll=1)
        assert isinstance(restored, list) and restored[0].report, given
    assert (pg18_3.query(ENTRIES, "ledger"), hashes(third / "again" / "site")) == (entries, was[2])
    assert not [*(third / "safe").iterdir()]
    assert not [*Path("/dev/shm").glob("rj_*")]
