"""One page on the backups of a month: what was backed up, tested and copied, and what is missing. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from remotejobs.operations.backup.evidence.records import Evidence
from remotejobs.operations.backup.plan import BackupPlan, ServerItem
from remotejobs.text import in_markdown, size

_NONE = "—"


@dataclass(frozen=True, slots=True)
class ItemMonth:
    """The month of an item on a host. `expected`: the plan names it. `missing` are days without a good backup."""

    host: str
    item: str
    expected: bool
    backups: tuple[Evidence, ...]
    missing: tuple[date, ...]

    @property
    def good(self) -> tuple[Evidence, ...]:
        return tuple(each for each in self.backups if each.good)

    @property
    def amiss(self) -> bool:
        return bool(self.missing) or len(self.good) < len(self.backups)


def days_of(month: str, until: date) -> list[date]:
    """The days of a month (2026-11) that are over on the day `until`. `ValueError` for what is no month."""
    year, number = map(int, month.split("-"))
    return [day for each in range(1, monthrange(year, number)[1] + 1) if (day := date(year, number, each)) < until]


def items_of(
    plan: BackupPlan, hosts: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[Evidence]], days: Sequence[date]
) -> list[ItemMonth]:
    """Each item on each host: those of the plan, and others that there are records of.

    `hosts` says on which hosts an item of the plan is to be; `found` has what each host that answered has.
    """
    wanted = {(host, name): name for name, of_item in hosts.items() for host in of_item if host in found}
    servers = {item.name for item in plan.items if isinstance(item, ServerItem)}
    held: dict[tuple[str, str], list[Evidence]] = {}
    for host, all_there in found.items():
        for each in all_there:
            held.setdefault((host, each.said("item")), []).append(each)
    for host, name in list(wanted):
        # A server's item stands for its globals and databases, each of which is an item of the records.
        parts = [key for key in held if key[0] == host and key[1].startswith(f"{name}.")] if name in servers else []
        if parts:
            del wanted[host, name]
            wanted |= dict.fromkeys(parts, name)
    months = []
    for host, item in sorted({*wanted, *held}):
        backups = tuple(sorted(held.get((host, item), ()), key=lambda each: each.said("began")))
        seen = {each.day for each in backups if each.good}
        missing = tuple(day for day in days if day.isoformat() not in seen) if (host, item) in wanted else ()
        months.append(ItemMonth(host, item, (host, item) in wanted, backups, missing))
    return months


def page(month: str, asked: str, months: Sequence[ItemMonth], unknown: Mapping[str, str], days: Sequence[date]) -> str:
    """The page, in markdown. `asked`: when, and by which run; `unknown`: hosts that could not be asked, and why."""
    amiss = [each for each in months if each.amiss]
    good = sum(len(each.good) for each in months)
    lines = [
        f"# Backups in {month}",
        f"Read from the records on the hosts, {asked}. Nothing else is the source of this page.",
        f"**{good}** good backups of **{len(months)}** items, **{len(amiss)}** with something missing or damaged.",
        f"Hosts that could not be asked: **{len(unknown)}**.",
        "## What was backed up",
        "| host | item | kind | good backups | days without one | restore-tested | not tested | copied to | newest |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(_row, months),
    ]
    lines += ["## What is missing", *(_missing(months, days) or [_nothing_missing(unknown, days)])]
    if unknown:
        lines += [
            "## Hosts of which nothing is known",
            *(f"- {in_markdown(host)}: {in_markdown(why)}" for host, why in unknown.items()),
        ]
    lines += ["## Warnings", *_warnings(months)]
    return "\n\n".join("\n".join(each) for each in _blocks(lines)) + "\n"


def _row(month: ItemMonth) -> str:
    tests = Counter(each.said("restore_test") for each in month.good)
    others = [f"{count} {word}" for word, count in sorted(tests.items()) if word != "passed"]
    newest = month.good[-1] if month.good else None
    cells = [
        month.host,
        month.item,
        newest.said("kind") if newest else "",
        str(len(month.good)),
        _days(month.missing) if month.expected else "not in the plan",
        str(tests["passed"]),
        ", ".join(others),
        _copies(month.good),
        f"{newest.said('began')}, {size(int(newest.record.get('bytes') or 0))}" if newest else "",
    ]
    return f"| {' | '.join(in_markdown(cell) or _NONE for cell in cells)} |"


def _copies(good: Iterable[Evidence]) -> str:
    counts: Counter[str] = Counter()
    seen: dict[str, str] = {}
    for each in good:
        for copied in each.copies:
            counts[copied.place] += 1
            seen[copied.place] = max(seen.get(copied.place, ""), copied.seen)
    said = [f"{place}: {count}, one last seen whole {seen[place]}" for place, count in sorted(counts.items())]
    return "; ".join(said) or "none: local only"


def _missing(months: Sequence[ItemMonth], days: Sequence[date]) -> list[str]:
    lines = []
    for each in months:
        where = f"{in_markdown(each.item)} on {in_markdown(each.host)}"
        if each.missing and len(each.missing) == len(days):
            lines.append(f"- {where}: no good backup on any day")
        elif each.missing:
            lines.append(f"- {where}: no good backup on {_days(each.missing)}")
        lines += [
            f"- {where}: {in_markdown(bad.said('file'))}: {in_markdown(_why_bad(bad))}"
            for bad in each.backups
            if not bad.good
        ]
    return lines


def _nothing_missing(unknown: Mapping[str, str], days: Sequence[date]) -> str:
    if not days:
        return "Not known yet: no day of the month is over."
    where = " on the hosts that answered" if unknown else ""
    return f"Nothing{where}: every item of the plan has a good backup of every day{where and ' there'}."


def _why_bad(bad: Evidence) -> str:
    return f"found damaged: {bad.damaged}" if bad.damaged else "incomplete: some of it could not be read"


def _warnings(months: Sequence[ItemMonth]) -> list[str]:
    counts: Counter[str] = Counter()
    for each in months:
        for backup in each.backups:
            for warning in backup.record.get("warnings") or ():
                counts[f"{each.item} on {each.host}: {warning}"] += 1
    return [f"- {count} times: {in_markdown(said)}" for said, count in counts.most_common(50)] or ["None."]


def _days(days: Sequence[date]) -> str:
    """1, 3-7, 12"""
    ranges: list[list[int]] = []
    for day in days:
        if ranges and ranges[-1][-1] == day.day - 1:
            ranges[-1][-1] = day.day
        else:
            ranges.append([day.day, day.day])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    """Lines of one table or list belong together."""
    blocks: list[list[str]] = []
    for line in lines:
        if blocks and line[:1] in "|-" and blocks[-1][-1][:1] == line[:1]:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return blocks
