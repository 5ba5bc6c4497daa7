"""Secrets are planted, runs succeed and fail with them, and then everything that was written is searched."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prefect import flow
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, PREFECT_SERVER_DATABASE_CONNECTION_URL

from lab.sshd import SshLab
from lab.users import LabUser
from remotejobs.model import Job
from tasks.access import Access
from tasks.ends import end_of, raise_for
from tasks.errors import HostsFailed
from tasks.jids import jid_for
from tasks.jobs import poll_until, start_job
from tasks.reports import publish_table, row_of
from tasks.until import Until

PASSWORD = "planted sudo pass'word-7f3a"
IN_ENV = "planted-env-value-91bc"
BLOCK = "planted-become-password"
ALL = (PASSWORD.encode(), IN_ENV.encode())


@flow(name="with-secrets")
def with_secrets(access: Access, command: str) -> None:
    """What `docs/threat-model.md` tells to do: the value is taken from its block inside the flow."""
    job = Job(jid=jid_for("secret"), cmd=command, label="secret", env={"TOKEN": Secret.load("planted-env").get()})  # type: ignore[union-attr]
    started = start_job.submit(job, "db", access)
    ends = [end_of("secret", "db", started, poll_until(Until(retries=20, delay=1)).submit(started, access))]
    publish_table("secrets", command, [row_of(end) for end in ends])
    raise_for(ends)


@pytest.fixture(scope="module")
def asked() -> Iterator[LabUser]:
    with LabUser.unique("asks", shell="/bin/bash", password=PASSWORD, sudo="ALL=(ALL) ALL") as user:
        yield user


@pytest.fixture(scope="module")
def reached(asked: LabUser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    Secret(value=PASSWORD).save(BLOCK, overwrite=True)  # type: ignore[arg-type]
    Secret(value=IN_ENV).save("planted-env", overwrite=True)  # type: ignore[arg-type]
    directory = tmp_path_factory.mktemp("asking")
    with SshLab(directory, ["db"], users={"db": asked.name}) as lab:
        inventory = lab.write_inventory(directory / "hosts.yml")
        yield Access(inventory=str(inventory), become=True, become_user="root", become_password_block=BLOCK)


@contextmanager
def watched(name: str) -> Iterator[set[bytes]]:
    """What /proc/PID/`name` of all processes held at any time meanwhile."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            for path in Path("/proc").glob(f"[0-9]*/{name}"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """All that any logger says meanwhile, with tracebacks."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    loggers = [logging.getLogger(), *(logging.getLogger(f"prefect{end}") for end in ("", ".flow_runs", ".task_runs"))]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield said
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def holding(directory: Path) -> list[tuple[Path, bytes]]:
    """The files below, and the secrets in them."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files, f"nothing is in {directory}, so this shows nothing"
    return [(path, secret) for path in files for secret in ALL if secret in path.read_bytes()]


def database() -> Path:
    url = str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value())
    return Path(url.partition("///")[2])


def test_planted_secrets_are_found_nowhere_after_runs_that_succeed_and_fail(reached: Access, asked: LabUser) -> None:
    with watched("cmdline") as command_lines, logged() as said:
        with_secrets(reached, 'test -n "$TOKEN" && id -un')
        with pytest.raises(HostsFailed) as failed:
            with_secrets(reached, 'test -n "$TOKEN" && echo broken >&2 && exit 3')

    assert any(b"sudo\0-H\0-u\0root\0-S" in line for line in command_lines), "no sudo was seen, so this shows nothing"
    texts = [*command_lines, said.getvalue().encode(), str(failed.value).encode(), repr(failed.value).encode()]
    assert [secret for secret in ALL for text in texts if secret in text] == []
    assert "broken" in said.getvalue()
    written = b"".join(path.read_bytes() for path in database().parent.glob("*.db*"))
    assert b"with-secrets" in written, "the runs were written elsewhere, so this shows nothing"
    assert holding(database().parent) == []
    assert holding(PREFECT_LOCAL_STORAGE_PATH.value()) == []
    assert holding(Path(f"/home/{asked.name}/.remotejobs")) == []
