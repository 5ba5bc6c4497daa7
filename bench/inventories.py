"""How long `remotejobs inventory --list` and `ansible-inventory --list` take for the same files, in turn.

python -m bench.inventories [HOSTS ...]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

GROUP = 50  # hosts in one group
RUNS = 3
OURS = [sys.executable, "-m", "remotejobs", "inventory"]
THEIRS = [str(Path(sys.executable).with_name("ansible-inventory"))]


def main(sizes: list[int]) -> None:
    sys.stdout.write("hosts form   ours    ansible-inventory  times, seconds of processor time, median of each\n")
    with tempfile.TemporaryDirectory() as directory:
        for count in sizes:
            for form, text in (("YAML", yaml_of(count)), ("INI", ini_of(count))):
                path = Path(directory) / f"{form}-{count}" / f"hosts{'.yml' if form == 'YAML' else ''}"
                (path.parent / "group_vars").mkdir(parents=True)
                path.write_text(text)
                (path.parent / "group_vars" / "all.yml").write_text("ansible_user: deploy\nntp: [a, b]\n")
                ours, theirs = measured(path)
                sys.stdout.write(f"{count:5} {form:5} {ours:5.2f} {theirs:10.2f} {theirs / ours:15.1f}\n")


def measured(path: Path) -> tuple[float, float]:
    """The medians; both must say the same."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(RUNS):
        said = []
        for program, taken in zip((OURS, THEIRS), seconds, strict=True):
            before = os.times()
            done = subprocess.run([*program, "-i", path, "--list"], check=True, capture_output=True)
            after = os.times()
            taken.append(after.children_user - before.children_user + after.children_system - before.children_system)
            said.append(json.loads(done.stdout))
        if said[0] != said[1]:
            raise SystemExit(f"{path.parent.name}: not the same inventory")
    return statistics.median(seconds[0]), statistics.median(seconds[1])


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
    main([int(word) for word in sys.argv[1:]] or [1000, 10_000])
