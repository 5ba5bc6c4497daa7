"""How long `remotejobs inventory --list` and `ansible-inventory --list` take for the same files, in turn.

    python -m bench.inventories [--hosts 1000,10000] [--runs 3] [--write]

Both must say the same. Processor time is compared: it depends less on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.documents import machine, put, say, table

GROUP = 50  # hosts in one group
AIMS = {"YAML": "at least 5.0", "INI": "at least 4.0"}
HEAD = (
    "whole command",
    "`remotejobs inventory --list`",
    "a host",
    "`ansible-inventory --list`",
    "a host",
    "times",
    "aim",
)
OURS = [sys.executable, "-m", "remotejobs", "inventory"]
THEIRS = [str(Path(sys.executable).with_name("ansible-inventory"))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.inventories", description=__doc__)
    parser.add_argument("--hosts", default="1000,10000", help="numbers of hosts to measure with")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median is reported")
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/benchmarks.md")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for form, writer in (("YAML", yaml_of), ("INI", ini_of)):
            for count in map(int, options.hosts.split(",")):
                say(f"{count} hosts in {form}")
                path = Path(directory) / f"{form}-{count}" / f"hosts{'.yml' if form == 'YAML' else ''}"
                (path.parent / "group_vars").mkdir(parents=True)
                path.write_text(writer(count))
                (path.parent / "group_vars" / "all.yml").write_text("ansible_user: deploy\nntp: [a, b]\n")
                rows.append(row_of(f"{count:,} hosts, {form}", count, measured(path, options.runs), AIMS[form]))
    where = machine("ansible-core", "pyyaml")
    text = f"Processor time, median of {options.runs} runs (least-most), in turn: {where}.\n\n{table(HEAD, rows)}\n"
    print(text)
    if options.write:
        put("inventories", text)


def row_of(what: str, count: int, seconds: tuple[list[float], list[float]], aim: str) -> list[str]:
    ours, theirs = map(statistics.median, seconds)
    figures = [
        word for taken in seconds for word in (shown(taken), f"{statistics.median(taken) / count * 1000:.2f} ms")
    ]
    return [what, *figures, f"{theirs / ours:.1f}", aim]


def shown(taken: Sequence[float]) -> str:
    return f"{statistics.median(taken):.2f} s ({min(taken):.2f}-{max(taken):.2f})"


def measured(path: Path, runs: int) -> tuple[list[float], list[float]]:
    """Seconds of each run; both must say the same."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        said = []
        for program, taken in zip((OURS, THEIRS), seconds, strict=True):
            before = os.times()
            done = subprocess.run([*program, "-i", path, "--list"], check=True, capture_output=True)
            after = os.times()
            taken.append(after.children_user - before.children_user + after.children_system - before.children_system)
            said.append(json.loads(done.stdout))
        if said[0] != said[1]:
            raise SystemExit(f"{path.parent.name}: not the same inventory")
    return seconds


def hosts_of(count: int) -> Iterator[tuple[str, str, int]]:
    for number in range(count):
        yield f"h{number}.example.net", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", number


def yaml_of(count: int) -> str:
    lines = ["all:", "  children:"]
    for name, address, number in hosts_of(count):
        if number % GROUP == 0:
            variables = f"{{tier: {number % 7}, path: '/srv/{{{{ inventory_hostname }}}}'}}"
            lines += [f"    g{number // GROUP}:", f"      vars: {variables}", "      hosts:"]
        lines.append(f"        {name}: {{ansible_host: {address}, rack: r{number % 40}, slot: {number}}}")
    return "\n".join([*lines, ""])


def ini_of(count: int) -> str:
    lines = []
    for name, address, number in hosts_of(count):
        if number % GROUP == 0:
            group = f"g{number // GROUP}"
            lines += [f"[{group}:vars]", f"tier={number % 7}", "path=/srv/{{ inventory_hostname }}", f"[{group}]"]
        lines.append(f"{name} ansible_host={address} rack=r{number % 40} slot={number}")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
