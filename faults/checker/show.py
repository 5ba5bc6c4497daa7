"""Figures for a terminal and for docs/explanation/faults.md, and a failed episode in lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from faults.checker.campaign import Figures
from faults.checker.history import EpisodeHistory, Reported
from faults.checker.judge import Violation

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "explanation" / "faults.md"
_BEGIN, _END = "<!-- checker -->\n", "<!-- /checker -->"


def show(figures: Figures, console: Console) -> None:
    table = Table("what", "how many", "of these")
    for row in _rows(figures):
        table.add_row(*row)
    console.print(table)


def write(figures: Figures, document: Path = DOCUMENT) -> None:
    """Put the figures between the document's marks. `ValueError` when it has none."""
    text = document.read_text()
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{document} lacks the marks {_BEGIN.strip()} and {_END}")
    lines = ["| what | how many | of these |", "|---|--:|---|", *(f"| {' | '.join(row)} |" for row in _rows(figures))]
    document.write_text(head + begin + "\n".join(lines) + "\n" + end + tail)


def _rows(figures: Figures) -> Iterator[tuple[str, str, str]]:
    yield "histories", str(figures.episodes), f"seed {figures.seed}, {figures.seconds:.0f} s"
    yield "operations", str(figures.asked.total()), _each(figures.asked)
    yield "runs of commands", str(figures.runs), ""
    yield "faults", str(figures.broken.total()), _each(figures.broken)
    found = [each for failure in figures.failures for each in failure.found]
    yield "violations", str(len(found)), _each(Counter(each.rule for each in found))


def _each(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counted.most_common())


def lines_of(history: EpisodeHistory, found: Sequence[Violation]) -> Iterator[str]:
    """What was found, and all that happened."""
    yield f"episode {history.plan.seed}:"
    yield from (f"  VIOLATION {each}" for each in found)
    yield f"  hosts {', '.join(f'{kind} with {shell}' for kind, shell in history.plan.hosts)}"
    yield from (f"  job {job.jid} {job.does} rc {job.rc} lasts {job.lasts:.2f}" for job in history.plan.jobs)
    events = [(reported.asked, _asked(reported)) for reported in history.reported]
    events += [(run.began, f"RUN of {run.jid} begins: {run}") for run in history.runs]
    events += [(at, f"BREAK {one}") for at, one in history.broken]
    yield from (f"  {at:10.2f} {words}" for at, words in sorted(events))


def _asked(reported: Reported) -> str:
    op = reported.op
    deed = f" [{op.deed}{'' if reported.did else ', never reached'}]" if op.deed else ""
    words = [f"{r.jid} {r.state} {r.cause} rc={r.rc} pid={r.pid} {r.msg!r}" for r in reported.records]
    said = str(reported.error)[:300] if reported.error else "; ".join(words)
    asked = f"{op.what} {op.jid}{f' variant {op.variant}' if op.variant else ''} on host {op.host}"
    return f"controller {op.by}: {asked}{deed} until {reported.answered:.2f}: {said}"
