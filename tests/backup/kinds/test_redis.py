"""What a Redis server holds is saved, read, and loaded into another server for a test."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lab.servers.redis import Redis
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandCopy, RedisItem, Verify, report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.verify import verify_job

Back_up = Callable[..., Record]
SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as server:
        for database, words in ((0, "SET a 1"), (0, "SET b 2 EX 1000"), (3, "LPUSH l 1 2 3")):
            subprocess.run(["redis-cli", "-p", str(server.port), "-n", str(database), *words.split()], check=True)
        yield server


@pytest.mark.parametrize("interpreter", SHELLS)
def test_all_keys_are_saved_and_loaded_into_a_throw_away_server(
    interpreter: str, back_up: Back_up, redis: Redis, directory: Path, shell: Shell, tmp_path: Path
) -> None:
    item = RedisItem(
        name="cache",
        hosts="here",
        port=redis.port,
        restore_test=True,
        restore_reserve_mib=0,
        restore_directory="/var/tmp",
    )
    record = back_up(item, interpreter=interpreter)
    assert record.state is State.SUCCEEDED, record.stderr
    report = report_of(record)
    assert report.restore_tested, record.stdout.decode()
    (entry,) = backups_on(shell, str(directory), file=Path(report.path).name)
    assert (entry.kind, entry.rows) == ("redis", {"db0": 2, "db3": 1})
    assert entry.record and "redis-check-rdb: 3 keys" in entry.record["checks"]


def test_a_password_is_read_from_a_file_and_a_server_that_refuses_is_a_failure(
    back_up: Back_up, redis: Redis, directory: Path, tmp_path: Path
) -> None:
    user = ["ACL", "SETUSER", "saver", "on", ">secret", "+@all", "~*"]
    subprocess.run(["redis-cli", "-p", str(redis.port), *user], check=True)
    passfile = tmp_path / "password"
    passfile.write_text("secret\n")
    item = RedisItem(name="cache", hosts="here", port=redis.port, user="saver", passfile=str(passfile))
    record = back_up(item)
    assert record.state is State.SUCCEEDED, record.stderr
    passfile.write_text("wrong")
    record = back_up(item)
    assert record.state is State.FAILED and b"WRONGPASS" in record.stderr


@pytest.mark.parametrize("interpreter", SHELLS)
def test_the_commands_around_it_and_those_that_send_copies_do_not_see_the_password(
    interpreter: str, back_up: Back_up, redis: Redis, tmp_path: Path
) -> None:
    user = ["ACL", "SETUSER", "saver", "on", ">the-password", "+@all", "~*"]
    subprocess.run(["redis-cli", "-p", str(redis.port), *user], check=True)
    (tmp_path / "password").write_text("the-password\n")
    seen = tmp_path / "seen"
    look = f"env >>{seen}; echo looked >>{seen}"
    item = RedisItem(
        name="cache",
        hosts="here",
        port=redis.port,
        user="saver",
        passfile=str(tmp_path / "password"),
        before=(look,),
        after=(look,),
    )
    place = CommandCopy(
        name="elsewhere", send=look, fetch='cat "$BACKUP_FILE"', encrypted=False
    )  # send is called for the record too
    record = back_up(item, interpreter=interpreter, copy_commands=(place,))
    assert record.state is State.SUCCEEDED, record.stderr
    assert seen.read_text().count("looked") == 4 and "the-password" not in seen.read_text()


def test_a_verification_reads_it_again(back_up: Back_up, redis: Redis, directory: Path, jobs: HostJobs) -> None:
    path = Path(report_of(back_up(RedisItem(name="cache", hosts="here", port=redis.port))).path)

    def verified() -> Record:
        job = verify_job(Verify(directory=str(directory)), jid=uuid4().hex)
        jobs.start(job)
        return jobs.record(job.jid, wait=60)

    assert verified().state is State.SUCCEEDED and Path(f"{path}.verified").exists()
    path.write_bytes(path.read_bytes()[:-20])
    assert verified().state is State.FAILED and Path(f"{path}.damaged").exists()
