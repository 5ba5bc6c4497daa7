"""The package as it was at an earlier commit, to be measured beside this tree in one run."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.documents import PROJECT, say


def comparison(description: str | None, program: str, before: str) -> argparse.Namespace:
    """The options of a program that compares: `before` (a commit), `runs`, `write`."""
    return comparison_parser(description, program, before).parse_args()


def comparison_parser(description: str | None, program: str, before: str, *, runs: int = 7) -> argparse.ArgumentParser:
    """The same, for a program that has options of its own too."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--before", default=before, help="the commit to measure beside this tree")
    parser.add_argument("--runs", type=int, default=runs, help="runs of each; the median is reported")
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/benchmarks.md")
    return parser


@contextmanager
def trees_beside(commit: str, name: str) -> Iterator[dict[str, Path]]:
    """The package at `commit` by that name, where this repository's history has it, and this tree as `now`."""
    with tempfile.TemporaryDirectory(prefix="rj-before-") as directory:
        words = ["git", "-C", str(PROJECT), "archive", commit, "remotejobs", "tasks", "flows", "deployments"]
        done = subprocess.run(words, capture_output=True, check=False)
        if done.returncode:
            say(f"{commit} is not in this repository's history: only this tree is measured")
            yield {"now": PROJECT}
            return
        subprocess.run(["tar", "-x", "-C", directory], input=done.stdout, check=True)
        yield {name: Path(directory), "now": PROJECT}
