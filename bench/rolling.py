"""`make bench-rolling`: the same update of the same site by this project and by Ansible's own playbook, under load.

And a larger one with waits as they are in use, beside what these waits add up to.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from bench.documents import PROJECT, machine, put
from lab.load import Load, LoadReport
from lab.servers.prefect.api import Artifact, PrefectApi
from lab.servers.prefect.server import PrefectServer
from lab.servers.web.site import LabSite

_DEPLOY = 5  # seconds that a deployment of the larger update takes, beside the restart
_NOTHING = [sys.executable, "-c", "import prefect; prefect.flow(lambda: None, name='nothing')()"]
_STABLE = 10.0  # seconds for which its hosts must then be healthy: the default


@dataclass(frozen=True, slots=True)
class UpdateFigures:
    """One update. `wall` is seconds from the start of the command to its end, `waits` those that it itself waits for:
    the drain, deployment and health of the slowest host of each batch, one batch after the other; 0 not known."""

    wall: float
    waits: float
    load: LoadReport


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rolling", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/benchmarks.md")
    parser.add_argument("--runs", type=int, default=3, help="how often each update of four hosts is made (3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="remotejobs-bench-") as name:
        directory = Path(name)
        with PrefectServer(directory / "prefect") as prefect:
            prefect.await_ready()
            with LabSite(directory / "site") as site:
                small = _small(site, prefect, options.runs)
            with LabSite(directory / "eight", [f"web{number}" for number in range(1, 9)]) as site:
                large = _large(site, prefect)
    how = f"All on one machine: {machine('paramiko', 'ansible-core', 'prefect')}."
    text = "\n".join([how, "", *small, "", *large]) + "\n"
    print(text)
    if options.write:
        put("rolling", text)


def _small(site: LabSite, prefect: PrefectServer, runs: int) -> list[str]:
    """Updates of four hosts, in turn; the median of each."""
    versions = (f"{number}.0" for number in itertools.count(2))
    kinds: dict[str, Callable[[], None]] = {
        "Ansible's playbook, serial 1": lambda: _ansible(site, next(versions)),
        "this project, serial 1": lambda: _ours(site, prefect, _quick(site, next(versions))),
        "this project, serial 2": lambda: _ours(site, prefect, _quick(site, next(versions), serial=2)),
        "for comparison: a flow of Prefect that does nothing": lambda: _run(_NOTHING, dict(prefect.environment)),
    }
    measured: dict[str, list[UpdateFigures]] = {what: [] for what in kinds}
    for _ in range(runs):
        for what, act in kinds.items():
            asked = prefect if what.startswith("this project") else None
            measured[what].append(_measure(site, what, act, asked))
    ansible = _median(measured[next(iter(kinds))])
    rows = [
        f"| {what} | {_median(each):.1f} s ({min(one.wall for one in each):.1f}-{max(one.wall for one in each):.1f}) | "
        f"{_median(each) / ansible:.2f} | {_said(each)} | {sum(one.load.requests for one in each)} | "
        f"{sum(len(one.load.failures) for one in each)} |"
        for what, each in measured.items()
    ]
    return [
        f"Updates of four hosts under 250 requests a second; median of {runs} runs (least-most), in turn.",
        "",
        "| update of four hosts | wall time | over Ansible's | its waits | requests meanwhile | failed |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
    ]


def _said(measured: Sequence[UpdateFigures]) -> str:
    waits = statistics.median(one.waits for one in measured)
    return f"{waits:.1f} s" if waits else ""


def _large(site: LabSite, prefect: PrefectServer) -> list[str]:
    """One update of eight hosts by two, and what its own waits add up to."""
    health = site.update("2.0")["health"] | {"stable_for": _STABLE}
    update = site.update("2.0", serial=2, health=health, deploy=f'app/deploy.sh "$VERSION" {_DEPLOY}')
    done = _measure(site, "this project, eight hosts by two", lambda: _ours(site, prefect, update), prefect)
    over, load = 100 * (done.wall / done.waits - 1), done.load
    return [
        f"Eight hosts by two, each deployed to for {_DEPLOY} s and then healthy for {_STABLE:g} s; one run.",
        "",
        "| wall time | its waits | beyond them | requests meanwhile | failed |",
        "| --- | --- | --- | --- | --- |",
        f"| {done.wall:.1f} s | {done.waits:.1f} s | {over:.1f} % | {load.requests} | {len(load.failures)} |",
    ]


def _waits(prefect: PrefectServer) -> float:
    """What the newest update waited for, by its table."""
    wanted = {"artifacts": {"key": {"any_": ["rolling-update"]}}, "sort": "CREATED_DESC", "limit": 1}
    with PrefectApi(prefect.api_url) as api:
        (table,) = TypeAdapter(list[Artifact]).validate_json(api.ask("POST", "/artifacts/filter", wanted))
    batches: dict[str, list[float]] = {}
    for row in json.loads(table.data):
        batches.setdefault(row["batch"], []).append(sum(_seconds(row[step]) for step in ("drain", "deploy", "health")))
    return sum(max(each) for each in batches.values())


def _seconds(said: str) -> float:
    """What a cell of the table says, such as 5.5s (1 left)."""
    return float(said.partition("s")[0] or 0)


def _median(measured: Sequence[UpdateFigures]) -> float:
    return statistics.median(one.wall for one in measured)


def _measure(site: LabSite, what: str, act: Callable[[], None], prefect: PrefectServer | None) -> UpdateFigures:
    """`prefect` has the table of what was done, if that was an update of ours."""
    print(f"... {what}", file=sys.stderr, flush=True)
    with Load(site.haproxy.url, site.directory / "load") as load:
        began = time.perf_counter()
        act()
        wall = time.perf_counter() - began
    return UpdateFigures(wall, _waits(prefect) if prefect else 0, load.report)


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


def _quick(site: LabSite, version: str, **plan: object) -> dict[str, object]:
    """Both go on at the first healthy answer."""
    return site.update(version, health=site.update(version)["health"] | {"stable_for": 0}, **plan)


def _ours(site: LabSite, prefect: PrefectServer, update: dict[str, object]) -> None:
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
