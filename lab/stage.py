"""The whole lab on loopback: three hosts, PostgreSQL, a Prefect server with a worker, and the deployments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.ground import ignore_signals, lab_directory, signals_unwind
from lab.plan import GROUPS, HOSTS, deployment_parameters, write_files
from lab.postgres import Postgres
from lab.prefect_api import PrefectApi
from lab.prefect_server import PROJECT, PrefectServer
from lab.sshd import SshLab

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
def open_stage(say: Say, *, project: Path = PROJECT) -> Iterator[Stage]:
    """Start everything; at the end, however it comes, all of it is stopped."""
    with signals_unwind(), ExitStack() as stack:
        try:
            stage = _start(stack, say, project)
            _deploy(stage, say)
            yield stage
        finally:
            ignore_signals()
            say("Stopping the lab")


def _start(stack: ExitStack, say: Say, project: Path) -> Stage:
    directory = stack.enter_context(lab_directory())
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
