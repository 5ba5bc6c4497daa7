"""`python -m faults.checker --seed N --minutes M`: is all true that hosts report? Else exit code 1."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from faults.checker.campaign import Checker, Figures, all_points, campaign
from faults.checker.episode import ground_at
from faults.checker.history import EpisodeHistory
from faults.checker.judge import RULES, Violation
from faults.checker.plan import EpisodePlan, drawn
from faults.checker.reduce import reduced
from faults.checker.show import lines_of, show, write
from lab import guard

REDUCED = 3  # failures of a campaign: one fault may show in many


def main(words: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(words)
    console = Console(highlight=False, soft_wrap=True)
    # Other users may not enter the guard's directory, and some hosts are other users.
    with TemporaryDirectory(prefix="checker-ground-") as name:
        place = Path(name)
        if args.episode:
            return _again(args.episode, args.times, place, args.leave_out, console)
        figures = _campaign(args.seed, args.minutes * 60, place, args.leave_out, console)
    show(figures, console)
    for failure in figures.failures:  # first of all, for to reduce one may take long
        _show(failure.history, failure.found, console)
    for failure in figures.failures[:REDUCED]:
        with TemporaryDirectory(prefix="checker-ground-") as name, ground_at(Path(name)) as ground:
            console.print(f"episode {failure.history.plan.seed}:", markup=False)
            checker = Checker(ground, args.leave_out)
            _show_reduced(failure.history.plan, checker, {each.rule for each in failure.found}, console)
    if args.write:
        write(figures)
    return 1 if figures.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faults.checker", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same plans (default 1)")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to go on (default 1)")
    parser.add_argument("--episode", metavar="SEED.N", help="only this one, as a failure names it, and the least of it")
    parser.add_argument("--times", type=int, default=5, help="how often to try that one episode (default 5)")
    parser.add_argument(
        "--leave-out", action="append", default=[], metavar="RULE", choices=RULES, help="do not judge it"
    )
    parser.add_argument("--write", action="store_true", help="put the figures into docs/explanation/faults.md")
    return parser


def _campaign(seed: int, seconds: float, place: Path, leave_out: Sequence[str], console: Console) -> Figures:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("the first episode", total=None)

        def report(figures: Figures) -> None:
            words = f"{figures.episodes} episodes, {figures.asked.total()} questions, {len(figures.failures)} failed"
            progress.update(bar, description=words)

        return campaign(seed, seconds, place, leave_out, report)


def _again(episode: str, times: int, place: Path, leave_out: Sequence[str], console: Console) -> int:
    plan = drawn(episode, all_points())
    with ground_at(place) as ground:
        checker = Checker(ground, leave_out)
        for _ in range(times):
            history, found = checker.check(plan)
            if found:
                _show(history, found, console)
                _show_reduced(plan, checker, {each.rule for each in found}, console)
                return 1
    console.print(f"episode {episode}: {times} times nothing was found")
    return 0


def _show(history: EpisodeHistory, found: Sequence[Violation], console: Console) -> None:
    for line in lines_of(history, found):
        console.print(line, markup=False)


def _show_reduced(plan: EpisodePlan, checker: Checker, rules: set[str], console: Console) -> None:
    def fails(candidate: EpisodePlan) -> bool:
        return bool(rules & {each.rule for each in checker.check(candidate)[1]})

    least = reduced(plan, fails)
    if least == plan:
        console.print("  nothing of it could be left out")
        return
    history, found = checker.check(least)
    console.print(f"  reduced to {len(least.ops)} questions and {len(least.breaks)} breaks; once more:")
    _show(history, found, console)


if __name__ == "__main__":
    guard.start()
    sys.exit(main())
