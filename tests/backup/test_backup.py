"""A backup is believed only after it was checked, and a failed one leaves nothing behind."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.servers.postgres import Postgres
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandItem, FilesItem, PostgresItem, report_of
from remotejobs.operations.backup.item.script import scratch_database, shell_text
from tests.awaiting import await_true

Database = Callable[..., PostgresItem]
Back_up = Callable[..., Record]
Begin = Callable[..., str]
SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]


def command(text: str, **others: object) -> CommandItem:
    return CommandItem.model_validate({"name": "thing", "hosts": "here", "command": text, **others})


def files_in(directory: Path) -> set[str]:
    """Without `.ITEM.plan`, which says whose they are."""
    return {path.name for path in directory.iterdir() if not path.name.startswith(".")}


def psql(postgres: Postgres, *words: str) -> None:
    env = {**os.environ, **postgres.environment}
    subprocess.run(words, check=True, env=env, capture_output=True)


def said(record: Record) -> str:
    return record.stderr.decode()


def test_a_database_that_was_backed_up_can_be_restored(
    back_up: Back_up, database: Database, postgres: Postgres
) -> None:
    report = report_of(back_up(database("orders")))
    psql(postgres, "createdb", "restored")
    psql(postgres, "pg_restore", "--exit-on-error", "-d", "restored", report.path)
    assert postgres.query("SELECT count(*), sum(cents) FROM purchase", "restored") == postgres.query(
        "SELECT count(*), sum(cents) FROM purchase", "orders"
    )
    psql(postgres, "dropdb", "restored")


def test_the_report_names_a_file_with_that_size_and_checksum(back_up: Back_up, database: Database) -> None:
    report = report_of(back_up(database("users")))
    content = Path(report.path).read_bytes()
    assert report.bytes == len(content)
    assert report.sha256 == hashlib.sha256(content).hexdigest()
    assert not report.restore_tested
    subprocess.run(["sha256sum", "-c", f"{report.path}.sha256"], check=True, cwd=Path(report.path).parent)


def test_backups_are_for_the_eyes_of_their_owner(back_up: Back_up, directory: Path) -> None:
    report = report_of(back_up(command("echo secret")))
    assert Path(report.path).stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_restore_test_compares_all_tables_and_drops_its_database(
    back_up: Back_up, database: Database, postgres: Postgres
) -> None:
    record = back_up(database("analytics", restore_test=True, restore_on="server"))
    assert report_of(record).restore_tested, said(record)
    assert Path(f"{report_of(record).path}.restored").exists()
    assert "remotejobs_restore" not in postgres.query("SELECT string_agg(datname, ' ') FROM pg_database")


def test_a_restore_test_holds_against_writes_during_the_dump(
    back_up: Back_up, database: Database, postgres: Postgres
) -> None:
    # The counts are taken in the dump's own snapshot: a writer that never stops must not make them differ.
    postgres.query("CREATE DATABASE busy")
    postgres.query("CREATE TABLE busy (n integer)", "busy")
    writing = "DO $$ BEGIN LOOP INSERT INTO busy VALUES (1); COMMIT; END LOOP; END $$"
    env = {**os.environ, **postgres.environment}
    writer = subprocess.Popen(["psql", "-qX", "-d", "busy", "-c", writing], env=env)
    try:
        while postgres.query("SELECT count(*) FROM busy", "busy") == "0":
            assert writer.poll() is None
        record = back_up(database("busy", restore_test=True, restore_on="server"))
        assert writer.poll() is None
    finally:
        postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO $$%'")
        writer.wait()
    assert report_of(record).restore_tested, said(record)


def test_a_job_that_is_killed_while_it_restores_drops_its_database_and_keeps_the_dump(
    jobs: HostJobs, begin: Begin, database: Database, postgres: Postgres, directory: Path
) -> None:
    # Restoring waits for ever: the check of the constraint sleeps.
    postgres.query("CREATE DATABASE slow")
    postgres.query(
        "CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE sql AS "
        "'SELECT pg_sleep(CASE WHEN current_database() = ''slow'' THEN 0 ELSE 600 END) IS NOT NULL';"
        "CREATE TABLE one (n integer CHECK (slow(n))); INSERT INTO one VALUES (1)",
        "slow",
    )
    jid = begin(database("slow", restore_test=True, restore_on="server"))
    mine = scratch_database("here", "slow")
    sleeping = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{mine}' AND wait_event = 'PgSleep'"
    await_true(lambda: postgres.query(sleeping) == "1")
    record = jobs.kill(jid)
    assert record.state is State.KILLED
    assert "proven empty" in record.msg
    (dump,) = directory.glob("slow-*.dump")
    assert Path(f"{dump}.untested").read_text() == "the restore test has not ended\n"
    assert mine not in postgres.query("SELECT string_agg(datname, ' ') FROM pg_database")


@pytest.mark.parametrize("cut", [1000, 50_000])
def test_a_dump_that_is_cut_off_is_detected(cut: int, back_up: Back_up, database: Database, tmp_path: Path) -> None:
    whole = Path(report_of(back_up(database("orders"))).path).read_bytes()
    assert len(whole) > cut
    (tmp_path / "cut.part").write_bytes(whole[:-cut])
    check = f"{shell_text()}\nITEM=orders FORMAT=custom step=check part=$1 work=$2\nbk_postgres_check"
    words = [tmp_path / "cut.part", tmp_path]
    done = subprocess.run(["sh", "-c", check, "sh", *words], capture_output=True, text=True)
    assert done.returncode == 1
    assert "failed at step check: pg_restore cannot read" in done.stderr


def test_different_rows_are_named(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("public.a|10\npublic.b|5\n")
    (tmp_path / "again").write_text("public.a|9\npublic.b|5\n")
    compare = f"{shell_text()}\nITEM=orders step=restore work=$1 sha256=sha256sum\nbk_compare"
    done = subprocess.run(["sh", "-c", compare, "sh", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "dumped public.a|10 , restored public.a|9 " in done.stderr


def test_a_missing_database_is_reported_in_the_words_of_pg_dump(back_up: Back_up, database: Database) -> None:
    record = back_up(database("nowhere"))
    assert record.state is State.FAILED
    assert 'database "nowhere" does not exist' in said(record)
    assert "backup of nowhere failed at step dump: pg_dump ended with 1" in said(record)


def test_a_database_may_have_any_name(back_up: Back_up, database: Database, postgres: Postgres) -> None:
    name = "host=elsewhere 'x' $HOME"
    postgres.query(f'CREATE DATABASE "{name}"')
    record = back_up(database("odd", database=name, restore_test=True))
    assert report_of(record).restore_tested, said(record)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_failure_anywhere_in_a_pipe_is_a_failure(shell: str, back_up: Back_up, directory: Path) -> None:
    record = back_up(command("{ echo half; exit 7; } | gzip", extension="gz"), interpreter=shell)
    assert record.state is State.FAILED
    assert "failed at step dump: the command ended with 7" in said(record)
    assert files_in(directory) == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_any_shell_makes_a_backup(shell: str, back_up: Back_up, tmp_path: Path, directory: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a page.html").write_text("hello")
    record = back_up(FilesItem(name="site", hosts="here", base=str(tmp_path), paths=("site",)), interpreter=shell)
    assert record.state is State.SUCCEEDED, said(record)
    report = report_of(record)
    name = Path(report.path).name
    assert files_in(directory) == {name, f"{name}.sha256", f"{name}.json"}
    listing = subprocess.run(["tar", "-tzf", report.path], capture_output=True, text=True, check=True).stdout
    assert "site/a page.html" in listing


def test_files_are_saved_without_what_is_excluded(back_up: Back_up, tmp_path: Path) -> None:
    for name in ("keep.txt", "drop.tmp", "-odd"):
        (tmp_path / name).write_text(name)
    item = FilesItem(
        name="some",
        hosts="here",
        base=str(tmp_path),
        paths=("keep.txt", "drop.tmp", "-odd"),
        exclude=("*.tmp",),
        compress=False,
    )
    report = report_of(back_up(item))
    listing = subprocess.run(["tar", "-tf", report.path], capture_output=True, text=True, check=True).stdout
    assert listing.split() == ["keep.txt", "./-odd"]


def test_a_missing_path_is_a_failure(back_up: Back_up, tmp_path: Path, directory: Path) -> None:
    record = back_up(FilesItem(name="gone", hosts="here", base=str(tmp_path), paths=("gone",)))
    assert record.state is State.FAILED
    assert "tar ended with 2" in said(record)
    assert files_in(directory) == set()


def test_a_backup_that_is_too_small_is_a_failure(back_up: Back_up, directory: Path) -> None:
    record = back_up(command("printf 12345", min_bytes=6))
    assert record.state is State.FAILED
    assert "only 5 bytes, fewer than the 6 expected" in said(record)
    assert files_in(directory) == set()


def test_an_empty_backup_is_always_a_failure(back_up: Back_up) -> None:
    assert back_up(command("true")).state is State.FAILED


def test_a_backup_that_its_own_check_refuses_is_a_failure(back_up: Back_up, directory: Path) -> None:
    record = back_up(command("echo no gzip", check="gzip -t"))
    assert "failed at step check: the check ended with 1" in said(record)
    assert files_in(directory) == set()


def test_too_little_room_is_found_before_anything_is_written(back_up: Back_up, directory: Path) -> None:
    record = back_up(command(f"touch {directory}/ran; echo x"), min_free_mib=1024**3)
    assert record.state is State.FAILED
    assert "failed at step preflight" in said(record)
    assert f"{1024**4} KiB are needed" in said(record)
    assert files_in(directory) == set()


def test_a_directory_that_cannot_be_used_is_found_before_anything_is_run(
    back_up: Back_up, directory: Path, tmp_path: Path
) -> None:
    directory.write_text("a file")
    record = back_up(command(f"touch {tmp_path}/ran; echo x"))
    assert f"the directory {directory} cannot be used" in said(record)
    assert not (tmp_path / "ran").exists()
