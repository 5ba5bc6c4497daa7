"""`make bench`: measure, print one table; with --write, put it into README.md and docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.engine import Row, fleet_rows, host_rows

PROJECT = Path(__file__).parent.parent
BETWEEN = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.DOTALL)


def machine() -> str:
    """Where and with what it was measured."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split(",")[0]
    cores = f"{os.cpu_count()} cores ({found[1] if found else platform.machine()})"
    peers = [f"{name} {version(name)}" for name in ("paramiko", "ansible-core")]
    return ", ".join([f"{datetime.now(UTC):%Y-%m-%d}", cores, f"Python {platform.python_version()}", ssh, *peers])


def table(rows: list[Row]) -> str:
    head = ["| what | measured | aim |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {row.what} | {row.figure} | {row.aim} |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--hosts", default="10,50,100,200", help="numbers of sshd to measure with")
    parser.add_argument("--runs", type=int, default=5, help="runs of each command; the median is told")
    parser.add_argument("--write", action="store_true", help="put the table into the documents")
    options = parser.parse_args()

    def say(what: str) -> None:
        print(f"... {what}", file=sys.stderr, flush=True)

    rows = [*host_rows(say), *fleet_rows(say, tuple(map(int, options.hosts.split(","))), options.runs)]
    how = f"Median of {options.runs} runs (least-most); hosts and controller share one machine: {machine()}."
    text = f"{how}\n\n{table(rows)}\n"
    print(text)
    if options.write:
        for path in (PROJECT / "README.md", PROJECT / "docs" / "benchmarks.md"):
            path.write_text(BETWEEN.sub(lambda match: match[1] + text + match[2], path.read_text()))


if __name__ == "__main__":
    main()
