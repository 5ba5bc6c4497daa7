"""Encrypted connections to PostgreSQL: the certificate of a server is checked when it is dumped or restored to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lab.servers.postgres import Postgres
from lab.servers.tls import authority, certificate
from remotejobs.agent.shell import Shell
from remotejobs.model import Record, State
from remotejobs.operations.backup import PostgresItem, Restore, report_of
from remotejobs.operations.backup.restore import TargetUnknown, target_on

Back_up = Callable[..., Record]
Run = Callable[..., Record]
ROWS = "SELECT count(*), sum(cents) FROM purchase"


def said(record: Record) -> str:
    return (record.stdout + record.stderr).decode()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the one that signed the server's certificate, and another one."""
    directory = tmp_path_factory.mktemp("authorities")
    authority(directory, "right")
    authority(directory, "wrong")
    return directory


@pytest.fixture(scope="module", name="encrypted")
def encrypted_server(authorities: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server called localhost that refuses connections that are not encrypted."""
    tls = certificate(authorities / "right.pem", "localhost")
    with Postgres(tmp_path_factory.mktemp("encrypted"), tls=tls) as server:
        yield server


@pytest.fixture
def reached(encrypted: Postgres, authorities: Path) -> dict[str, Any]:
    """How it is reached, with all that there is to check."""
    return {
        "server": "localhost",
        "port": encrypted.port,
        "user": encrypted.user,
        "passfile": str(encrypted.passfile),
        "sslmode": "verify-full",
        "sslrootcert": str(authorities / "right.pem"),
    }


def orders(**reached: object) -> PostgresItem:
    return PostgresItem.model_validate({"name": "orders", "hosts": "here", "database": "orders", **reached})


@pytest.mark.parametrize("restore_on", ["cluster", "server"])
def test_a_server_whose_certificate_is_right_is_dumped_tested_and_restored_to(
    restore_on: str, back_up: Back_up, restore: Run, encrypted: Postgres, reached: dict[str, Any]
) -> None:
    record = back_up(orders(restore_test=True, restore_on=restore_on, restore_reserve_mib=0, **reached))
    assert report_of(record).restore_tested, said(record)
    done = restore("orders", database=f"again_{restore_on}", **reached)
    assert done.state is State.SUCCEEDED, said(done)
    assert encrypted.query(ROWS, f"again_{restore_on}") == encrypted.query(ROWS, "orders")


def test_the_server_of_a_restore_test_has_a_certificate_of_its_own_to_be_checked(
    back_up: Back_up, encrypted: Postgres, reached: dict[str, Any], authorities: Path
) -> None:
    other = {**reached, "room_unchecked": True}
    for name, tested in (("right", True), ("wrong", False)):
        elsewhere = other | {"sslrootcert": str(authorities / f"{name}.pem")}
        record = back_up(orders(restore_test=True, restore_on=elsewhere, restore_reserve_mib=0, **reached))
        assert report_of(record).restore_tested is tested, said(record)
        assert tested or "certificate verify failed" in report_of(record).untested


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ({"sslrootcert": "wrong.pem"}, "certificate verify failed"),
        ({"server": "127.0.0.1"}, 'certificate for "localhost".* does not match host name "127.0.0.1"'),
        ({"sslmode": "disable", "sslrootcert": ""}, "no pg_hba.conf entry .*no encryption"),
    ],
    ids=["authority", "name", "unencrypted"],
)
def test_a_server_that_cannot_prove_who_it_is_gets_no_password_and_the_words_say_why(
    others: dict[str, str],
    why: str,
    back_up: Back_up,
    restore: Run,
    encrypted: Postgres,
    reached: dict[str, Any],
    authorities: Path,
    shell: Shell,
) -> None:
    back_up(orders(**reached))
    wrong = reached | others
    if others.get("sslrootcert"):
        wrong["sslrootcert"] = str(authorities / wrong["sslrootcert"])
    record = back_up(orders(**wrong | {"name": "refused"}))
    assert record.state is State.FAILED
    assert re.search(f"failed at step dump: pg_dump ended with 1: .*{why}", said(record)), said(record)
    with pytest.raises(TargetUnknown, match=why):
        target_on(shell, Restore.model_validate({"item": "orders", "database": "not_made", **wrong}))
    done = restore("orders", database="not_made", **wrong)
    assert "failed at step preflight: the server does not answer" in said(done)
    assert re.search(why, said(done)), said(done)
    assert "not_made" not in encrypted.query("SELECT datname FROM pg_database")


def test_a_service_says_all_of_it_and_its_database_is_not_taken_for_the_target(
    back_up: Back_up,
    begin_restore: Callable[..., str],
    jobs: Any,
    encrypted: Postgres,
    reached: dict[str, Any],
    tmp_path: Path,
) -> None:
    lines = {"host": "server", "port": "port", "user": "user", "passfile": "passfile"}
    lines |= {name: name for name in ("sslmode", "sslrootcert")}
    file = tmp_path / "pg_service.conf"
    where = "".join(f"{name}={reached[key]}\n" for name, key in lines.items())
    file.write_text(f"[shop]\n{where}dbname=shop\n")
    encrypted.query("CREATE DATABASE shop")
    encrypted.query("CREATE TABLE t AS SELECT 7 AS n", "shop")
    service = {"PGSERVICEFILE": str(file)}
    # Each is restored in place of the database that the service leads to.
    for form in ("custom", "plain"):
        item = PostgresItem.model_validate(
            {"name": f"shop_{form}", "hosts": "here", "database": "shop", "service": "shop", "format": form}
        )
        assert back_up(item, env=service).state is State.SUCCEEDED
        encrypted.query("UPDATE t SET n = 8", "shop")
        jid = begin_restore(f"shop_{form}", database="shop", service="shop", replace_it=True, env=service)
        done = jobs.record(jid, wait=60)
        assert done.state is State.SUCCEEDED, said(done)
        assert encrypted.query("SELECT n FROM t", "shop") == "7"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"service": "shop", "server": "db1"}, "service: 'shop' says server too"),
        ({"sslmode": "verify-full"}, "sslmode: verify-full cannot be had on a socket"),
        (
            {"server": "db1", "sslmode": "require", "sslrootcert": "/etc/db.pem"},
            "sslrootcert: only sslmode verify-ca and verify-full",
        ),
    ],
)
def test_a_restore_refuses_what_an_item_refuses(given: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Restore.model_validate({"item": "orders", "database": "orders", **given})
