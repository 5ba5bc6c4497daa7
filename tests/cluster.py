"""A real server as `make deploy` makes it, real hosts, and workers that share nothing: what recovery is tested on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.runs import await_state, deployment
from lab.servers.prefect.api import PrefectApi, RunStatus
from lab.servers.prefect.server import PrefectServer
from lab.servers.sshd import SshLab
from remotejobs.model import Record
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections, jobs_on
from remotejobs.prefect.tasks.timings import VARIABLE
from tests import awaiting

WITHIN = 600.0  # seconds; far more than it takes, for machines that have much else to do
# What is asked for here costs a server, a host or a scan of all processes something.
await_true = partial(awaiting.await_true, within=WITHIN, every=0.5)

# All waiting times at a tenth, where Prefect and the start of a process allow it, and a server that scans often enough.
# With all of it at a second, and other tests beside it on two cores, its SQLite was locked in three of four tries.
AT_A_TENTH = {
    VARIABLE: "0.1",
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT2S",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "5",
    # Of a schedule the next three runs, not a hundred: no test waits for them.
    "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "3",
    # Beside other tests SQLite is locked for longer than a worker's four tries, and a run is Crashed before it begins.
    "PREFECT_CLIENT_MAX_RETRIES": "8",
}


@dataclass(frozen=True)
class Cluster:
    """What runs in the tests. `go` lets every job end that waits for the file of its name."""

    prefect: PrefectServer
    api: PrefectApi
    ssh: SshLab
    access: Access
    directory: Path

    def command(self, name: str) -> str:
        """Leaves a line each time it is run, and waits for its file, for minutes on a dozen hosts."""
        return f'echo x >>"$HOME/{name}.runs"; until [ -e {self.directory}/{name} ]; do sleep 1; done'

    def go(self, name: str) -> None:
        (self.directory / name).touch()

    def start(self, name: str, **given: object) -> RunStatus:
        """A run of the deployment `name` with this cluster's access and what is given."""
        return self.api.run(deployment(self.api, name), {"access": self.access.model_dump(), **given})

    def runs_of(self, name: str) -> list[int]:
        """How often the command was run, on each host."""
        files = [host.home / f"{name}.runs" for host in self.ssh.hosts]
        return [len(file.read_text().split()) if file.exists() else 0 for file in files]

    def await_runs(self, name: str, counts: list[int]) -> None:
        """Wait until the command was run so often on each host."""
        await_true(lambda: self.runs_of(name) == counts)

    def jobs_of(self, run: RunStatus, host: str) -> list[Record]:
        return [record for record in jobs_on(self.access, host).list() if record.jid.endswith(str(run.id))]

    def recoveries_of(self, run: RunStatus) -> list[RunStatus]:
        """The runs that were started to recover it."""
        known = self.api.runs_of(deployment(self.api, "zz-recover"))
        return [recovery for recovery in known if recovery.parameters.get("flow_run_id") == str(run.id)]

    def await_state(self, run: RunStatus, *names: str) -> RunStatus:
        return self.await_run(run, lambda now: now.state is not None and now.state.name in names)

    def await_run(self, run: RunStatus, come: Callable[[RunStatus], bool]) -> RunStatus:
        return await_state(self.api, run, come, WITHIN)

    def await_log(self, run: RunStatus, words: str, times: int = 1) -> None:
        """Wait until so many lines of the run's log have these words."""
        await_true(lambda: sum(words in line for line in self.api.log(run)) >= times)


@contextmanager
def running_cluster(directory: Path, prefect: PrefectServer, hosts: Sequence[str]) -> Iterator[Cluster]:
    """`prefect`, not yet started, with all that is declared, and `hosts`; no worker."""
    with ExitStack() as stack:
        stack.enter_context(prefect)
        ssh = stack.enter_context(SshLab(directory / "hosts", hosts))
        access = Access(inventory=str(ssh.write_inventory(directory / "inventory.yml")))
        prefect.await_ready()
        api = stack.enter_context(PrefectApi(prefect.api_url))
        prefect.declare()
        stack.callback(connections().close)
        yield Cluster(prefect, api, ssh, access, directory)
