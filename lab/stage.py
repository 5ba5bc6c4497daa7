"""The whole lab on loopback: three hosts, PostgreSQL, a Prefect server with a worker, and the deployments."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from lab.plan import GROUPS, HOSTS, deployment_parameters, write_files
from lab.postgres import Postgres
from lab.prefect_api import PrefectApi
from lab.prefect_server import PROJECT, PrefectServer
from lab.process import LabError
from lab.sshd import SshLab

Say = Callable[[str], None]
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DIRECTORY_VARIABLE = "REMOTEJOBS_LAB_DIR"


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs while the stage is open, and where the inventory of its hosts is."""

    directory: Path
    inventory: Path
    ssh: SshLab
    postgres: Postgres
    prefect: PrefectServer
    api: PrefectApi


@contextmanager
def open_stage(say: Say, *, project: Path = PROJECT) -> Iterator[Stage]:
    """Start everything; at the end, however it comes, all of it is stopped."""
    with _signals_unwind(), ExitStack() as stack:
        try:
            stage = _start(stack, say, project)
            _deploy(stage, say)
            yield stage
        finally:
            _ignore_signals()
            say("Stopping the lab")


def _start(stack: ExitStack, say: Say, project: Path) -> Stage:
    directory = stack.enter_context(_lab_directory())
    say(f"Starting the lab in {directory}")
    # The server takes longest to get ready: the others start meanwhile.
    prefect = stack.enter_context(PrefectServer(directory / "prefect", project=project))
    ssh = stack.enter_context(SshLab(directory / "hosts", HOSTS))
    inventory = ssh.write_inventory(directory / "inventory.yml", GROUPS)
    say("  hosts       " + ", ".join(f"{host.name} on port {host.port}" for host in ssh.hosts))
    postgres = stack.enter_context(Postgres(directory))
    say(f"  PostgreSQL  on port {postgres.port}")
    prefect.await_ready()
    say(f"  Prefect     {prefect.url}")
    api = stack.enter_context(PrefectApi(prefect.api_url))
    return Stage(directory, inventory, ssh, postgres, prefect, api)


def _deploy(stage: Stage, say: Say) -> None:
    write_files(stage.ssh)
    stage.prefect.start_worker()
    stage.prefect.deploy()
    parameters = deployment_parameters(stage.postgres, stage.inventory)
    deployments = stage.api.deployments()
    for deployment in deployments:
        if deployment.name in parameters:
            stage.api.set_parameters(deployment, parameters[deployment.name])
    say("  deployments " + ", ".join(sorted(deployment.name for deployment in deployments)))


@contextmanager
def _lab_directory() -> Iterator[Path]:
    """The lab's directory, held so that a second lab does not write into it."""
    directory = Path(os.environ.get(_DIRECTORY_VARIABLE) or PROJECT / ".lab").resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(
                f"another lab is running in {directory}. End it, or set {_DIRECTORY_VARIABLE} to another directory."
            ) from None
        yield directory


@contextmanager
def _signals_unwind() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind as Ctrl-C does, so that everything is stopped then too."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """A second Ctrl-C must not leave half of the lab running."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
