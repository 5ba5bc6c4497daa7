"""`make bench-rolling`: the same update of the same site by this project and by Ansible's own playbook, under load."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.documents import PROJECT, machine, put
from lab.load import Load, LoadReport
from lab.servers.prefect.server import PrefectServer
from lab.servers.web.site import LabSite

_PAGE = PROJECT / "docs" / "how-to" / "rolling-update.md"


@dataclass(frozen=True, slots=True)
class UpdateFigures:
    """One update of four hosts: `wall` is seconds from the start of the command to its end."""

    what: str
    wall: float
    load: LoadReport

    @property
    def row(self) -> str:
        load = self.load
        return f"| {self.what} | {self.wall:.1f} s | {load.requests} | {load.rate:.0f}/s | {len(load.failures)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rolling", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/how-to/rolling-update.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="remotejobs-bench-") as name, _lab(Path(name)) as (site, prefect):
        measured = [
            _measure(site, "Ansible's playbook, serial 1", lambda: _ansible(site, "2.0")),
            _measure(site, "this project, serial 1", lambda: _ours(site, prefect, "3.0")),
            _measure(site, "this project, serial 2", lambda: _ours(site, prefect, "4.0", serial=2)),
        ]
    head = ["| update of four hosts | wall time | requests meanwhile | rate | failed |", "|---|---|---|---|---|"]
    how = f"All on one machine: {machine('paramiko', 'ansible-core')}."
    text = "\n".join([how, "", *head, *(each.row for each in measured)]) + "\n"
    print(text)
    if options.write:
        put("bench", text, _PAGE)


@contextmanager
def _lab(directory: Path) -> Iterator[tuple[LabSite, PrefectServer]]:
    with PrefectServer(directory / "prefect") as prefect, LabSite(directory / "site") as site:
        prefect.await_ready()
        yield site, prefect


def _measure(site: LabSite, what: str, act: Callable[[], None]) -> UpdateFigures:
    print(f"... {what}", file=sys.stderr, flush=True)
    with Load(site.haproxy.url, site.directory / "load") as load:
        began = time.perf_counter()
        act()
        wall = time.perf_counter() - began
    return UpdateFigures(what, wall, load.report)


def _ansible(site: LabSite, version: str) -> None:
    facts = {
        "version": version,
        "socket": str(site.haproxy.socket),
        # Which Python runs is not what is compared; and its jobs are not found where HOME is not the home in passwd.
        "ansible_python_interpreter": sys.executable,
        "ansible_async_dir": str(site.directory / "ansible_async"),
    }
    playbook = str(PROJECT / "bench" / "playbooks" / "rolling.yml")
    words = ["ansible-playbook", "-i", str(site.inventory), playbook, "-e", json.dumps(facts)]
    _run([str(Path(sys.executable).with_name(words[0])), *words[1:]], {"ANSIBLE_LOCALHOST_WARNING": "false"})


def _ours(site: LabSite, prefect: PrefectServer, version: str, **plan: object) -> None:
    # Both go on at the first healthy answer.
    health = site.update(version)["health"] | {"stable_for": 0}
    update = site.update(version, health=health, **plan)
    access = {"inventory": str(site.inventory)}
    parameters = site.directory / "parameters.json"
    parameters.write_text(json.dumps({"access": access, "hosts": "web", "update": update}))
    _run([sys.executable, "-m", "lab.demos.run_update", str(parameters)], dict(prefect.environment))


def _run(words: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(
        words, env={**os.environ, **env}, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise SystemExit(f"{words[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
