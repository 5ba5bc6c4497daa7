"""`python -m faults.fuzz`: random words for all that reads what others wrote; only documented errors may come of it."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from rich.console import Console
from rich.table import Table

from faults.fuzz.targets import TARGETS, FuzzTarget

INPUTS = 100_000


@dataclass(slots=True)
class Fuzzed:
    """How many inputs a target was given, and how many it read without an error: none would show little."""

    inputs: int = 0
    read: int = 0


def fuzz(target: FuzzTarget, inputs: int, chosen: int) -> Fuzzed:
    """Give `inputs` words to the target; raises what it crashed with, for the smallest words that do it."""
    counted = Fuzzed()

    @seed(chosen)
    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.words)
    def read(words: Any) -> None:
        counted.inputs += 1
        try:
            target.read(words)
        except target.documented:
            return
        counted.read += 1

    read()
    return counted


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m faults.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help=f"how many in all (default {INPUTS})")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same inputs (default 1)")
    args = parser.parse_args(words)
    each = -(-args.inputs // len(TARGETS))
    table, crashes, console = Table("what", "inputs", "read without an error", "crashes"), 0, Console(highlight=False)
    for name, target in TARGETS.items():
        console.print(f"{name} ...")
        try:
            fuzzed = fuzz(target, each, args.seed)
            if not fuzzed.read:
                raise ValueError(f"{name}: none of {fuzzed.inputs} inputs was ever read without an error")
            table.add_row(name, str(fuzzed.inputs), str(fuzzed.read), "0")
        except Exception:  # noqa: BLE001 - whatever it is, it is a crash to report
            crashes += 1
            traceback.print_exc()
            table.add_row(name, f"at most {each}", "", "1", style="bold red")
    console.print(table)
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
