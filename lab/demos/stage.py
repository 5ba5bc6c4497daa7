"""The whole lab on loopback: three hosts, PostgreSQL, a Prefect server with a worker, and the deployments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
Parameters = Callable[[Postgres, Path], Mapping[str, dict[str, object]]]


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs while the stage is open, and where the inventory of its hosts is."""

    directory: Path
    inventory: Path
    ssh: SshLab
    postgres: Postgres
    prefect: PrefectServer
    api: PrefectApi

    def set_parameters(self, parameters: Mapping[str, dict[str, object]]) -> None:
        """Have each deployment that is named start with these."""
        for deployment in self.api.deployments():
            if deployment.name in parameters:
                self.api.set_parameters(deployment, parameters[deployment.name])


@contextmanager
def open_stage(
    say: Say,
    *,
    project: Path = PROJECT,
    prefect: Callable[[Path], PrefectServer] | None = None,
    workers: Sequence[str] = ("lab",),
    recovery: bool = False,
    parameters: Parameters = deployment_parameters,
) -> Iterator[Stage]:
    """Start everything; at the end, however it comes, all of it is stopped.

    `prefect` makes the server for its directory, instead of the lab's usual one for the deployments of `project`.
    `parameters` makes those of the deployments.
    `recovery`: the server also gets the automations of deployments/resources.yml, as by `make deploy`.
    """
    with signals_unwind(), ExitStack() as stack:
        try:
            stage = _start(stack, say, prefect or partial(PrefectServer, project=project))
            _deploy(stage, say, workers, recovery=recovery)
            stage.set_parameters(parameters(stage.postgres, stage.inventory))
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


def _deploy(stage: Stage, say: Say, workers: Sequence[str], *, recovery: bool) -> None:
    write_files(stage.ssh)
    if recovery:
        stage.prefect.declare()
    else:
        stage.prefect.deploy()
    for name in workers:
        stage.prefect.start_worker(name)
    deployments = stage.api.deployments()
    say("  deployments " + ", ".join(sorted(deployment.name for deployment in deployments)))
