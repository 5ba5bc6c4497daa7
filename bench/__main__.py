"""`make bench`: measure, print one table; with --write, put it into docs/explanation/benchmarks.md."""

from __future__ import annotations

import argparse

from bench.documents import machine, put, say, table
from bench.engine import fleet_rows, host_rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--hosts", default="10,50,100,200", help="numbers of sshd to measure with")
    parser.add_argument("--runs", type=int, default=5, help="runs of each command; the median is reported")
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/benchmarks.md")
    options = parser.parse_args()

    rows = [*host_rows(say), *fleet_rows(say, tuple(map(int, options.hosts.split(","))), options.runs)]
    where = f"hosts and controller share one machine: {machine('paramiko', 'ansible-core')}"
    figures = table(["what", "measured", "aim"], [(row.what, row.figure, row.aim) for row in rows])
    text = f"Median of {options.runs} runs (least-most); {where}.\n\n{figures}\n"
    print(text)
    if options.write:
        put("bench", text)


if __name__ == "__main__":
    main()
