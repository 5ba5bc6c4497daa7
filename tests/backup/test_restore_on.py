"""A restore test harms no server: it is made in one of its own, or only where there is room that can be seen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.servers.postgres import Postgres
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import PostgresItem, report_of
from remotejobs.operations.backup.item.script import scratch_database
from tests.awaiting import await_true

Database = Callable[..., PostgresItem]
Back_up = Callable[..., Record]
Begin = Callable[..., str]
Reader = dict[str, str]
NO_ROOM = 1024**3  # MiB


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Where throw-away servers are made; PostgreSQL's user has to get there."""
    path = Path(tempfile.mkdtemp(prefix="rj-", dir="/var/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def databases(postgres: Postgres) -> str:
    return postgres.query("SELECT string_agg(datname, ' ') FROM pg_database")


def databases_in(tablespace: str) -> list[Path]:
    """The directories of the databases there; to the files in them PostgreSQL adds by itself."""
    return sorted(path for path in Path(tablespace).rglob("*") if path.is_dir())


def runs(pid: int) -> bool:
    """A dead process that nobody has waited for yet is still in /proc, and has no command line any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


def untested(record: Record) -> str:
    assert record.state is State.SUCCEEDED, record.stderr.decode()
    return report_of(record).untested


def test_by_default_it_is_made_in_a_server_of_its_own_with_roles_and_extensions(
    back_up: Back_up, database: Database, postgres: Postgres, reader: Reader, scratch: Path
) -> None:
    # No user of that server may make a database, or this extension, which is not a trusted one.
    postgres.query("CREATE DATABASE owned")
    postgres.query("CREATE ROLE appuser; CREATE ROLE auditor")
    postgres.query(
        "CREATE EXTENSION file_fdw; CREATE TABLE bill (n integer); INSERT INTO bill VALUES (1), (2);"
        "ALTER TABLE bill OWNER TO appuser; GRANT SELECT ON bill TO auditor",
        "owned",
    )
    record = back_up(database("owned", restore_test=True, restore_directory=str(scratch), **reader))
    assert untested(record) == ""
    assert report_of(record).restore_tested
    assert "without owners and rights" not in record.stdout.decode()
    assert list(scratch.iterdir()) == []


def test_where_there_is_no_room_no_throw_away_server_is_made(
    back_up: Back_up, database: Database, scratch: Path
) -> None:
    item = database("users", restore_test=True, restore_directory=str(scratch), restore_reserve_mib=NO_ROOM)
    why = untested(back_up(item))
    assert why.startswith(f"{scratch} has ")
    assert f"{NO_ROOM * 1024} KiB stay free" in why
    assert list(scratch.iterdir()) == []


def test_what_lies_in_tablespaces_needs_room_where_it_is_restored(
    back_up: Back_up, database: Database, postgres: Postgres, scratch: Path, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(prefix="rj-space-", dir="/var/tmp") as space:
        if os.getuid() == 0:
            shutil.chown(space, Path(postgres.query("SHOW data_directory")).owner())
        postgres.query(f"CREATE TABLESPACE aside LOCATION '{space}'")
        postgres.query("CREATE DATABASE large")
        postgres.query(
            "CREATE TABLE text TABLESPACE aside AS SELECT repeat(md5(n::text), 60) FROM generate_series(1, 40000) n",
            "large",
        )
        item = database("large", restore_test=True, restore_directory=str(scratch), restore_reserve_mib=0)
        # Room for a new server and what lies beside the tablespace, and not for that too.
        df = tmp_path / "df"
        df.write_text("#!/bin/sh\nprintf 'x 1-blocks x x x x\\nx 9 9 %s 99%% /\\n' \"$((230 * 1024))\"\n")
        df.chmod(0o755)
        why = untested(back_up(item, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}))
        assert why.startswith(f"{scratch} has {230 * 1024} KiB free; the test may need ")
        before = databases_in(space)
        record = back_up(item)
        assert (untested(record), report_of(record).restore_tested) == ("", True)
        assert databases_in(space) == before
        postgres.query("DROP DATABASE large")
        postgres.query("DROP TABLESPACE aside")


def test_where_its_disk_has_no_room_nothing_is_restored_on_the_server(
    back_up: Back_up, database: Database, postgres: Postgres
) -> None:
    why = untested(back_up(database("users", restore_test=True, restore_on="server", restore_reserve_mib=NO_ROOM)))
    assert why.startswith(f"{postgres.query('SHOW data_directory')} has ")


def test_where_its_room_cannot_be_seen_nothing_is_restored_on_the_server(
    back_up: Back_up, database: Database, postgres: Postgres, reader: Reader
) -> None:
    postgres.query(f"REVOKE pg_read_all_settings FROM {reader['user']}; ALTER ROLE {reader['user']} CREATEDB")
    why = untested(back_up(database("users", restore_test=True, restore_on="server", **reader)))
    assert "the free room of that server cannot be seen" in why


def test_another_server_can_be_named_for_it(back_up: Back_up, database: Database, postgres: Postgres) -> None:
    other = {"server": postgres.host, "port": postgres.port, "user": postgres.user, "room_unchecked": True}
    record = back_up(database("users", restore_test=True, restore_on=other))
    assert untested(record) == ""
    assert report_of(record).restore_tested
    assert "remotejobs_restore" not in databases(postgres)


def test_the_next_run_removes_what_dead_ones_left_and_nothing_of_living_ones(
    back_up: Back_up, database: Database, postgres: Postgres, scratch: Path
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    boot, world = Path("/proc/sys/kernel/random/boot_id").read_text().strip(), Path("/proc/self/ns/pid").readlink()
    born = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    for name, process in (("rj_restore_dead00", f"{gone.pid} 1"), ("rj_restore_alive0", f"{os.getpid()} {born}")):
        (scratch / name).mkdir()
        (scratch / name / "run").write_text(f"{boot} {world} {process}\n")
    (scratch / "rj_restore_others").mkdir()
    mine, now = scratch_database("here", "users"), int(time.time())
    lives = {"remotejobs_restore_a_00000000": now - 1, "remotejobs_restore_b_00000000": now + 3600}
    postgres.query(f"CREATE DATABASE {mine}")
    for name, until in lives.items():
        postgres.query(f"CREATE DATABASE {name}")
        postgres.query(f"COMMENT ON DATABASE {name} IS 'remotejobs restore test, over by {until}'")
    # Wherever its own test is made.
    record = back_up(database("users", restore_test=True, restore_on="server", restore_directory=str(scratch)))
    assert untested(record) == ""
    left = databases(postgres).split()
    postgres.query("DROP DATABASE remotejobs_restore_b_00000000")
    assert [name for name in left if name.startswith("remotejobs_restore")] == ["remotejobs_restore_b_00000000"]
    assert {path.name for path in scratch.iterdir()} == {"rj_restore_alive0", "rj_restore_others"}


def test_a_throw_away_server_ends_with_a_job_that_is_killed(
    jobs: HostJobs, begin: Begin, database: Database, scratch: Path
) -> None:
    jid = begin(database("orders", restore_test=True, restore_directory=str(scratch)))
    await_true(lambda: bool(list(scratch.glob("rj_restore_*/socket/.s.PGSQL.5432"))))
    record = jobs.kill(jid)
    assert record.state is State.KILLED
    assert not record.survivors
    assert list(scratch.iterdir()) == []


def test_a_throw_away_server_whose_job_was_killed_hard_ends_with_the_next_run(
    jobs: HostJobs, begin: Begin, back_up: Back_up, database: Database, scratch: Path
) -> None:
    item = database("orders", restore_test=True, restore_directory=str(scratch))
    jid = begin(item)
    await_true(lambda: bool(list(scratch.glob("rj_restore_*/socket/.s.PGSQL.5432"))))
    shell = jobs.record(jid).pid
    assert shell
    os.kill(shell, signal.SIGKILL)
    assert jobs.record(jid, wait=60).state is State.FAILED
    (left,) = scratch.iterdir()
    server = int((left / "data" / "postmaster.pid").read_text().split()[0])
    assert untested(back_up(item.model_copy(update={"restore_on": "server"}))) == ""
    assert list(scratch.iterdir()) == []
    assert not runs(server)


def test_a_test_is_ended_before_it_takes_the_reserve(
    back_up: Back_up, database: Database, postgres: Postgres, scratch: Path, tmp_path: Path
) -> None:
    postgres.query("CREATE DATABASE greedy")
    postgres.query(
        "CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE sql AS "
        "'SELECT pg_sleep(CASE WHEN current_setting(''test.fast'', true) = ''on'' THEN 0 ELSE 600 END) IS NOT NULL';"
        "CREATE TABLE one (n integer CHECK (slow(n))); SET test.fast = on; INSERT INTO one VALUES (1)",
        "greedy",
    )
    # A df by which the disk is full as soon as the server is there.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "df").write_text(
        f'#!/bin/sh\n[ -S {scratch}/rj_restore_*/socket/.s.PGSQL.5432 ] || exec /usr/bin/df "$@"\n'
        "printf 'Filesystem 1024-blocks Used Available Capacity Mounted on\\nx 9 9 7 99%% /\\n'\n"
    )
    (tmp_path / "bin" / "df").chmod(0o755)
    item = database("greedy", restore_test=True, restore_directory=str(scratch))
    # yash forgets the variable of a loop that it returns from.
    why = untested(back_up(item, env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}, interpreter="yash"))
    assert f"it was ended, as only 7 KiB were left free at {scratch}" in why
    assert list(scratch.iterdir()) == []
