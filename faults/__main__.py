"""`python -m faults`: every fault, seeded; the table, and exit code 1 when a job was lost or ran twice."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from faults.suite import SCALES, named, run
from faults.table import show, write
from faults.trial import Fault, FaultRow
from lab import guard


def main(words: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(words)
    try:
        faults = named(args.only)
    except LookupError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 2
    console = Console(highlight=False)
    rows = _tried(faults, args.seed, args.scale, args.tries, console)
    show(rows, console)
    if args.write:
        write(rows)
    return 0 if all(row.whole for row in rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same choices (default 1)")
    parser.add_argument("--scale", choices=SCALES, default="small", help="how many tries (default small)")
    parser.add_argument("--tries", type=int, help="so many tries of each fault, whatever the scale says")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="only faults with WORD in the name")
    parser.add_argument("--write", action="store_true", help="put the rows into docs/explanation/faults.md")
    return parser


def _tried(faults: Sequence[Fault], seed: int, scale: str, tries: int | None, console: Console) -> list[FaultRow]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    rows = []
    with Progress(*columns, console=console) as progress:
        for fault in faults:
            wanted = tries or (fault.full if scale == "full" else fault.small)
            bar = progress.add_task(fault.name, total=wanted)
            rows.append(run(fault, seed, wanted, lambda row, bar=bar: progress.update(bar, completed=row.tries)))  # type: ignore[misc]
    return rows


if __name__ == "__main__":
    guard.start()
    sys.exit(main())
