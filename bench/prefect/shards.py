"""One command on many hosts as one run, in shards on one worker, and in shards on two.

python -m bench.prefect.shards
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.documents import PROJECT, machine, put, say, table
from lab.ports import free_ports
from lab.runs import await_state, start
from lab.servers.prefect.api import PrefectApi, RunStatus
from lab.servers.prefect.server import SHARDS, PrefectServer
from lab.servers.sshd import SshLab
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections, jobs_on

SLEEP = 10
_PAGE = PROJECT / "docs" / "how-to" / "scale.md"


@dataclass(frozen=True, slots=True)
class ShardFigures:
    """Seconds from asking for the run until it was over; by the hosts, from the first to the last start of a job."""

    what: str
    wall: float
    starts: float

    @property
    def row(self) -> tuple[str, ...]:
        return (self.what, f"{self.wall:.0f} s", f"{self.starts:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.prefect.shards", description=__doc__)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--write", action="store_true", help="put the table into docs/how-to/scale.md")
    options = parser.parse_args()
    names = [f"h{number:03d}" for number in range(options.hosts)]
    with tempfile.TemporaryDirectory(prefix="remotejobs-bench-") as name, SshLab(Path(name) / "hosts", names) as ssh:
        inventory = str(ssh.write_inventory(Path(name) / "inventory.yml"))
        with PrefectServer(Path(name) / "prefect", port=free_ports(1)[0]) as server:
            measured = _measure_all(server, Access(inventory=inventory), names)
    connections().close()
    head = ("`sleep 10` on all", "the whole run", "from the first start to the last")
    how = f"{options.hosts} hosts; server, workers and hosts share the machine: {machine('prefect')}."
    text = f"{how}\n\n{table(head, [each.row for each in measured])}\n"
    print(text)
    if options.write:
        put("bench shards", text, _PAGE)


def _measure_all(server: PrefectServer, access: Access, names: Sequence[str]) -> list[ShardFigures]:
    server.await_ready()
    server.start_worker("lead")
    server.deploy()
    server.start_worker("one", pool=SHARDS, limit=1)
    with PrefectApi(server.api_url) as api:
        measured = [
            _measure(api, access, names, "in one run", shards=1),
            _measure(api, access, names, "in 2 shards, one worker that takes one at a time", shards=2),
        ]
        server.start_worker("two", pool=SHARDS, limit=1)
        return [*measured, _measure(api, access, names, "in 2 shards, two such workers", shards=2)]


def _measure(api: PrefectApi, access: Access, names: Sequence[str], what: str, *, shards: int) -> ShardFigures:
    say(what)
    until = {"delay": 5, "retries": 100}
    given = {"access": access.model_dump(), "hosts": "all", "command": f"sleep {SLEEP}", "until": until}
    began = time.perf_counter()
    run = start(api, "run-command", {**given, "run": {"shards": {"number": shards}}})
    ended = await_state(api, run, lambda now: now.final)
    wall = time.perf_counter() - began
    if ended.state is None or ended.state.name != "Completed":
        raise RuntimeError(f"{what}: {ended.state}")
    starts = [start for name in names for start in _starts(access, name, run)]
    return ShardFigures(what, wall, max(starts) - min(starts))


def _starts(access: Access, host: str, run: RunStatus) -> list[float]:
    """When the jobs of the run began on `host`; all hosts share one clock here."""
    jobs = jobs_on(access, host).list()
    return [datetime.fromisoformat(job.start).timestamp() for job in jobs if job.jid.endswith(str(run.id))]


if __name__ == "__main__":
    main()
