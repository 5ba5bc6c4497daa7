"""Secrets are planted, runs succeed and fail with them, and then everything that was written is searched."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest
import yaml
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, PREFECT_SERVER_DATABASE_CONNECTION_URL
from pydantic import SecretStr

from lab.servers.sshd import SshLab
from lab.servers.web.webhook import Webhook
from lab.users import LabUser
from remotejobs.model import Job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.blocks.inventory import RemoteInventory, RemoteLogin
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.job import poll_until, start_job
from remotejobs.prefect.tasks.jobs.reports import publish_table, row_of
from remotejobs.prefect.tasks.jobs.results import raise_for, result_of
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.notify import Notify, notify_block, send_notification

PASSWORD = "planted sudo pass'word-7f3a"
IN_ENV = "planted-env-value-91bc"
PASSPHRASE = "planted key passphrase-55e0"
IN_URL = "planted-url-token-2dd8"
BLOCK = "planted"
MESSAGE = {"text": "{{subject}} {{body}}"}
ALL = (PASSWORD.encode(), IN_ENV.encode(), PASSPHRASE.encode(), IN_URL.encode())


@flow(name="with-secrets", on_failure=[notify_block])
def with_secrets(access: Access, command: str, notify: Notify) -> None:
    """What `docs/explanation/threat-model.md` recommends: the value is taken from its block inside the flow."""
    send_notification(notify, "Begun", "with all its secrets")
    job = Job(jid=jid_for("secret"), cmd=command, label="secret", env={"TOKEN": Secret.load("planted-env").get()})  # type: ignore[union-attr]
    started = start_job.submit(job, "db", access)
    ends = [result_of("secret", "db", started, poll_until(Until(retries=20, delay=1)).submit(started, access))]
    publish_table("secrets", command, [row_of(end) for end in ends])
    raise_for(ends)


@pytest.fixture(scope="module")
def asked() -> Iterator[LabUser]:
    with LabUser.unique("asks", shell="/bin/bash", password=PASSWORD, sudo="ALL=(ALL) ALL") as user:
        yield user


@pytest.fixture(scope="module")
def reached(asked: LabUser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    """By a key with a passphrase, which the agent holds."""
    Secret(value=IN_ENV).save("planted-env", overwrite=True)  # type: ignore[arg-type]
    directory = tmp_path_factory.mktemp("asking")
    with ExitStack() as stack:
        lab = stack.enter_context(SshLab(directory, ["db"], users={"db": asked.name}))
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", lab.private_key], check=True)
        stack.enter_context(agent_with(lab.private_key, directory))
        inventory = directory / "hosts.yml"
        # The name of the user stands in the block.
        known = {name: value for name, value in lab.variables("db").items() if name != "ansible_user"}
        inventory.write_text(yaml.safe_dump({"all": {"hosts": {"db": known}}}))
        login = RemoteLogin(user=asked.name, become_password=SecretStr(PASSWORD))
        RemoteInventory(path=str(inventory), login=login).save(BLOCK, overwrite=True)
        yield Access(inventory=f"remote-inventory/{BLOCK}", become=True, become_user="root")


@contextmanager
def agent_with(key: Path, directory: Path) -> Iterator[None]:
    """An agent that is asked for by all meanwhile; somebody types the passphrase for it."""
    types = directory / "types"
    types.write_text(f"#!/bin/sh\necho '{PASSPHRASE}'\n")
    types.chmod(0o700)
    path = str(directory / "agent")
    typing = {"SSH_ASKPASS": str(types), "SSH_ASKPASS_REQUIRE": "force", "SSH_AUTH_SOCK": path}
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE) as agent,
    ):
        assert agent.stdout
        agent.stdout.readline()  # it listens
        subprocess.run(["ssh-add", "-q", str(key)], check=True, stdin=subprocess.DEVNULL, env={**os.environ, **typing})
        patch.setenv("SSH_AUTH_SOCK", path)
        yield
        agent.terminate()


def notify_by(webhook: Webhook, name: str) -> Notify:
    """A block whose URL is secret: anyone who knows it may write to those on call."""
    values = {"name": name, "url": "{{url}}", "secrets": {"url": f"{webhook.url}{IN_URL}"}, "json_data": MESSAGE}
    CustomWebhookNotificationBlock.model_validate(values).save(name, overwrite=True)
    return Notify(block=f"custom-webhook/{name}")


class Watched:
    """What /proc/PID/cmdline and environ of all processes held at any time of a `with`.

    Processes that are there before are read once, and again at the end. `started` appears when one has `IN_ENV`.
    """

    def __init__(self, started: Path) -> None:
        self.command_lines: set[bytes] = set()
        self.environments: set[bytes] = set()
        self._started = started
        self._before: set[str] = set()
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._read_all()
        self._before = set(self._pids())
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()
        self._before = set()
        self._read_all()

    def _pids(self) -> list[str]:
        names = [path.name for path in Path("/proc").iterdir()]
        return [name for name in names if name.isdigit() and name not in self._before]

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self._read_all()

    def _read_all(self) -> None:
        for pid in self._pids():
            for name, seen in (("cmdline", self.command_lines), ("environ", self.environments)):
                try:
                    text = Path("/proc", pid, name).read_bytes()
                except OSError:
                    continue
                seen.add(text)
                if IN_ENV.encode() in text:
                    self._started.touch()


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


def test_planted_secrets_are_found_nowhere_after_runs_that_succeed_and_fail(
    reached: Access, asked: LabUser, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    with Webhook() as hears, Webhook(status=500) as refuses, Watched(started) as seen, logged() as said:
        # It lasts until the reader of all environments has seen it.
        lasting = f'test -n "$TOKEN" && id -un && until [ -e {started} ]; do sleep 0.1; done'
        with_secrets(reached, lasting, notify_by(hears, "hears"))
        with pytest.raises(HostsFailed) as failed:
            with_secrets(reached, 'test -n "$TOKEN" && echo broken >&2 && exit 3', notify_by(refuses, "refuses"))
        assert hears.next()["text"].startswith("with-secrets: Begun with all its secrets")
        assert not refuses.silent

    sudo = [line for line in seen.command_lines if b"sudo\0-H\0-u\0root\0-S" in line]
    assert sudo, "no sudo was seen, so this shows nothing"
    texts = [*seen.command_lines, said.getvalue().encode(), str(failed.value).encode(), repr(failed.value).encode()]
    assert [secret for secret in ALL for text in texts if secret in text] == []
    in_environments = {secret for secret in ALL for text in seen.environments if secret in text}
    assert in_environments == {IN_ENV.encode()}, "the job's own processes have it, as it was asked for"
    assert all(b"REMOTEJOBS_JID=" in text for text in seen.environments if IN_ENV.encode() in text)
    assert "broken" in said.getvalue()
    assert "custom-webhook/refuses" in said.getvalue()
    written = b"".join(path.read_bytes() for path in database().parent.glob("*.db*"))
    assert b"with-secrets" in written, "the runs were written elsewhere, so this shows nothing"
    assert holding(database().parent) == []
    assert holding(PREFECT_LOCAL_STORAGE_PATH.value()) == []
    assert holding(Path(f"/home/{asked.name}/.remotejobs")) == []
