"""A short command on many hosts that are far away, by this tree and by an earlier one, in turn.

    python -m bench.distance.far [--hosts 200] [--delay 50] [--runs 3] [--before COMMIT] [--write]

Each real sshd stands behind its own TCP proxy (`bench.distance.slow_wire`), which makes everything late by `--delay`
milliseconds in each direction.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.documents import PROJECT, machine, put, say, table
from bench.earlier import trees_beside
from lab.servers.sshd import SshLab

BEFORE = "2bc6718"
FORKS = 50
RUNS = {"run -P 0": ["-P", "0", "--", "sleep 1"], "run -P 1 of true": ["-P", "1", "--", "true"]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.distance.far", description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--delay", type=float, default=50, help="milliseconds in each direction")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median is reported")
    parser.add_argument("--before", default=BEFORE, help="the commit to measure beside this tree")
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/benchmarks.md")
    options = parser.parse_args()
    took: dict[tuple[str, str], list[float]] = {}
    with trees_beside(options.before, "before") as trees, _far(options.hosts, options.delay) as inventory:
        for number in range(options.runs):
            say(f"run {number + 1} of {options.runs}")
            for what in RUNS:
                for name, tree in trees.items():
                    took.setdefault((what, name), []).append(_seconds(tree, inventory, what))
    rows = []
    for what in RUNS:
        of = [took[what, name] for name in trees]
        medians = [statistics.median(seconds) for seconds in of]
        figures = [f"{statistics.median(each):.2f} s ({min(each):.2f}-{max(each):.2f})" for each in of]
        rows.append([what, *figures, f"{medians[-1] / medians[0]:.2f}"])
    hosts = f"{options.hosts} real sshd, {2 * options.delay:g} ms there and back, {FORKS} forks"
    how = f"{hosts}; median of {options.runs} runs (least-most), in turn: {machine('paramiko')}."
    text = f"{how}\n\n{table(['', *trees, 'now / before'], rows)}\n"
    print(text)
    if options.write:
        put("far", text)


def _seconds(tree: Path, inventory: Path, what: str) -> float:
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""}
    words = [sys.executable, "-m", "remotejobs", "run", "all", "-i", str(inventory), "-f", str(FORKS), "-B", "60"]
    began = time.perf_counter()
    subprocess.run([*words, *RUNS[what]], env=environment, cwd=tree, check=True, capture_output=True)
    return time.perf_counter() - began


@contextmanager
def _far(count: int, delay: float) -> Iterator[Path]:
    """The inventory of so many hosts, each behind a proxy."""
    with TemporaryDirectory(prefix="rj-bench-") as name:
        directory, names = Path(name), [f"h{number:03d}" for number in range(count)]
        with SshLab(directory, names) as lab:
            ports = [lab.host(name).port for name in names]
            words = [sys.executable, "-m", "bench.distance.slow_wire", ",".join(map(str, ports)), str(delay)]
            with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as proxies:
                try:
                    assert proxies.stdout
                    late = dict(zip(map(str, ports), proxies.stdout.readline().split(), strict=True))
                    yield _through(lab.write_inventory(directory / "hosts.yml"), lab.known_hosts, late)
                finally:
                    proxies.terminate()


def _through(inventory: Path, known_hosts: Path, late: dict[str, str]) -> Path:
    """The same hosts by the ports of their proxies, in the inventory and in known_hosts."""
    known_hosts.write_text(re.sub(r"(?<=\]:)\d+", lambda port: late[port[0]], known_hosts.read_text()))
    text = inventory.read_text()
    inventory.write_text(re.sub(r"(?<=ansible_port: )\d+", lambda port: late[port[0]], text))
    return inventory


if __name__ == "__main__":
    main()
