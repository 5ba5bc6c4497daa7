"""SQL migrations of a real PostgreSQL table of 200,000 rows, on real hosts."""

from __future__ import annotations

import pytest

from lab.demos.shop import FAILURE, HANG, Shop, backup_plan, commands, database_of
from lab.servers.postgres import Postgres
from lab.servers.sshd import SshLab
from remotejobs.operations.backup import BackupPlan
from remotejobs.operations.migration import Timeouts
from tests.migration.conftest import Migrate, lock_of

pytestmark = pytest.mark.slow


def test_one_that_succeeds_and_is_verified_completes(
    shop: Shop, migrate: Migrate, postgres: Postgres, lab: SshLab
) -> None:
    ended = migrate("db1", commands())
    assert (ended.end, ended.message) == ("Completed", "Migrated and verified on db1")
    assert postgres.query("SELECT count(amount), sum(cents) = sum(amount) * 100 FROM invoice", "shop_db1") == "200000|t"
    assert set(ended.jobs("db1")) == {"migrate", "verify"}
    assert not lock_of(lab.host("db1")).exists()


def test_one_that_fails_halfway_is_rolled_back_to_equal_checksums(shop: Shop, migrate: Migrate, lab: SshLab) -> None:
    ended = migrate("db1", commands(FAILURE))
    assert ended.end == "RolledBack"
    assert ended.message == "db1: migrate failed, rc 3. Rolled back and verified on db1"
    assert shop.checksum("db1") == shop.untouched
    assert set(ended.jobs("db1")) == {"migrate", "rollback", "verify_rollback"}
    assert not lock_of(lab.host("db1")).exists()


def test_without_a_rollback_it_stays_half_done_and_says_so(shop: Shop, migrate: Migrate, postgres: Postgres) -> None:
    ended = migrate("db1", commands(FAILURE).model_copy(update={"rollback": ""}))
    assert ended.end == "RollbackFailed"
    assert "not rolled back, for no rollback command was given" in ended.message
    assert postgres.query("SELECT count(amount), count(*) FROM invoice", database_of("db1")) == "100000|200000"


def test_one_that_hangs_past_its_limit_is_proven_dead_and_rolled_back(shop: Shop, migrate: Migrate) -> None:
    ended = migrate("db1", commands(HANG), timeouts=Timeouts(migrate=4, grace=2))
    assert ended.end == "RolledBack"
    assert "migrate timed out" in ended.message
    assert "its process tree is proven empty" in ended.message
    assert shop.checksum("db1") == shop.untouched


def test_a_rollback_that_fails_is_never_called_rolled_back(shop: Shop, migrate: Migrate, lab: SshLab) -> None:
    ended = migrate("db1", commands(FAILURE).model_copy(update={"rollback": "echo no way back >&2; exit 9"}))
    assert ended.end == "RollbackFailed"
    assert ended.message == "db1: migrate failed, rc 3. db1: rollback failed, rc 9"
    assert lock_of(lab.host("db1")).exists(), "no other migration may begin on a host in this state"


def test_a_rollback_that_did_nothing_is_found_out_by_its_verify(shop: Shop, migrate: Migrate) -> None:
    ended = migrate("db1", commands(FAILURE).model_copy(update={"rollback": "true"}))
    assert ended.end == "RollbackFailed"
    assert ended.message == "db1: migrate failed, rc 3. db1: verify_rollback failed, rc 1"


def test_one_that_ends_with_0_but_does_not_verify_is_rolled_back(shop: Shop, migrate: Migrate) -> None:
    ended = migrate("db1", commands().model_copy(update={"migrate": "true"}))
    assert ended.end == "RolledBack"
    assert ended.message.startswith("db1: verify failed, rc 3. Rolled back")


def test_one_by_one_the_first_and_the_second_are_rolled_back_in_reverse_and_the_third_never_starts(
    shop: Shop, migrate: Migrate
) -> None:
    fails_on_db2 = 'case $HOME in */db2/*) halfway="SELECT 1/0" ;; *) halfway=SELECT ;; esac\n'
    plain = commands()
    migrating = fails_on_db2 + plain.migrate.replace("halfway=SELECT", 'halfway="$halfway"')
    ended = migrate("all", plain.model_copy(update={"migrate": migrating}), order="one_by_one")
    assert ended.end == "RolledBack"
    assert ended.message == "db2: migrate failed, rc 3. Rolled back and verified on db2, db1"
    assert ended.jobs("files1") == {}
    first, second = ended.jobs("db1"), ended.jobs("db2")
    assert set(first) == {"migrate", "verify", "rollback", "verify_rollback"}
    assert set(second) == {"migrate", "rollback", "verify_rollback"}
    assert first["verify"].end <= second["migrate"].start
    assert second["verify_rollback"].end <= first["rollback"].start
    assert {shop.checksum(host) for host in ("db1", "db2", "files1")} == {shop.untouched}


def test_with_a_backup_first_the_rollback_is_compared_with_what_was_saved(
    shop: Shop, migrate: Migrate, postgres: Postgres
) -> None:
    plan = backup_plan(postgres, ["db1"])
    ended = migrate("db1", commands(FAILURE, backed_up=True), backup_first=plan)
    assert ended.end == "RolledBack"
    jobs = ended.jobs("db1")
    assert set(jobs) == {"migrate", "prepare_rollback", "rollback", "verify_rollback"}
    assert jobs["prepare_rollback"].start <= jobs["migrate"].end, "they run at the same time"
    assert postgres.query("SELECT count(*) FROM invoice", "shop_db1_before") == "200000"


def test_without_a_verified_backup_nothing_is_migrated(
    shop: Shop, migrate: Migrate, postgres: Postgres, lab: SshLab
) -> None:
    plan = backup_plan(postgres, ["db1"])
    broken = plan.databases[0].model_copy(update={"database": "nowhere"})
    ended = migrate(
        "db1", commands(), backup_first=BackupPlan(databases=(broken,), directory="backups", min_free_mib=1)
    )
    assert ended.end == "Refused"
    assert "the backup before it did not succeed" in ended.message
    assert ended.jobs("db1") == {}
    assert not lock_of(lab.host("db1")).exists()


def test_with_a_backup_that_could_not_be_tested_as_asked_nothing_is_migrated(
    shop: Shop, migrate: Migrate, postgres: Postgres, lab: SshLab
) -> None:
    nobody = {"server": "127.0.0.1", "port": 1}
    untested = {**backup_plan(postgres, ["db1"]).databases[0].model_dump(), "restore_test": True, "restore_on": nobody}
    plan = BackupPlan.model_validate({"databases": [untested], "directory": "untested", "min_free_mib": 1})
    ended = migrate("db1", commands(), backup_first=plan)
    assert ended.end == "Refused"
    assert "the backup before it is not verified in full: 1 of 1 with a warning" in ended.message
    assert ended.jobs("db1") == {}
    assert len(list((lab.host("db1").home / "untested").glob("*.dump"))) == 1
