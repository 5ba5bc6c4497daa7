"""The whole lab on loopback: three hosts, PostgreSQL, a Prefect server with a worker, and the deployments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.demos.ground import ignore_signals, lab_directory, signals_unwind
from lab.demos.plan import GROUPS, HOSTS, deployment_parameters, write_files
from lab.servers.postgres import Postgres
from lab.servers.prefect.api import PrefectApi
from lab.servers.prefect.server import PROJECT, PrefectServer
from lab.servers.sshd import SshLab

Say = Callable[[str], None]


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
def open_stage(
    say: Say,
    *,
    project: Path = PROJECT,
    prefect: Callable[[Path], PrefectServer] | None = None,
) -> Iterator[Stage]:
    """Start everything; at the end, however it comes, all of it is stopped.

    `prefect` makes the server for its directory, instead of the lab's usual one for the deployments of `project`.
    """
    with signals_unwind(), ExitStack() as stack:
        try:
            stage = _start(stack, say, prefect or partial(PrefectServer, project=project))
            _deploy(stage, say)
            yield stage
        finally:
            ignore_signals()
            say("Stopping the lab")


def _start(stack: ExitStack, say: Say, make_server: Callable[[Path], PrefectServer]) -> Stage:
    directory = stack.enter_context(lab_directory())
    say(f"Starting the lab in {directory}")
    # The server takes longest to get ready: the others start meanwhile.
    prefect = stack.enter_context(make_server(directory / "prefect"))
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
