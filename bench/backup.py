"""What a checked backup costs beside the plain program and an earlier build, in turn.

A PostgreSQL database is compared with pg_dump and sha256sum, many small files with tar.

    python -m bench.backup [--before COMMIT] [--runs 3] [--scale 70] [--files 100000] [--directory DIR] [--write]

On the same disk, without SSH and without a restore test. Beside the time on the clock stands the processor time of all
that was run: on a busy machine only that can be compared.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.documents import machine, put, say, table
from bench.earlier import comparison_parser, trees_beside
from lab.servers.postgres import Postgres

BEFORE = "01697eaa"  # the last build that waited for the checksum before it listed an archive
Run = Callable[[], None]

_COMMAND = """
import json, sys
from remotejobs.operations.backup import BackupPlan, job_of
plan = BackupPlan.model_validate(json.load(sys.stdin))
print(job_of(plan, plan.items[0], host="here", jid="bench").cmd)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock and of processors. PostgreSQL's own server counts in neither: it does the same for all."""

    wall: float
    cpu: float


def cost_of(run: Run) -> Cost:
    """Processes that this one reaps are counted, as are theirs."""
    began, used = time.monotonic(), _used()
    run()
    return Cost(time.monotonic() - began, _used() - used)


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plain(command: str, env: Mapping[str, str] | None = None) -> Run:
    def run() -> None:
        subprocess.run(["sh", "-c", command], check=True, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL)

    return run


def checked(tree: Path, plan: Mapping[str, object], directory: Path) -> Run:
    """The item's own job as `tree` writes it, run by its command alone, so that its processes are children of this one.

    As every night but the first, there is the backup of the night before, which its retention removes.
    """
    keep = {"last": 1, "daily": 1, "weekly": 0, "monthly": 0}
    whole = {**plan, "directory": str(directory), "min_free_mib": 0, "retention": keep}
    made = subprocess.run(
        [sys.executable, "-c", _COMMAND],
        input=json.dumps(whole),
        env={**os.environ, "PYTHONPATH": str(tree)},
        cwd=tree,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    script = directory.with_suffix(".sh")
    script.write_text(made.stdout)

    def run() -> None:
        done = subprocess.run(["sh", str(script)], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return run


def compare(case: str, sides: Mapping[str, Run], runs: int, *, prepare: Run = lambda: None) -> list[list[str]]:
    """In turn, after a run of each; two rows of medians, each with the ratios to the first side.

    Each time another one begins: the last of three waits for what the disk still has to write of the first two.
    """
    found: dict[str, list[Cost]] = {name: [] for name in sides}
    for number in range(runs + 1):
        first = number % len(sides)
        for name in [*sides][first:] + [*sides][:first]:
            prepare()
            cost = cost_of(sides[name])
            if number:
                found[name].append(cost)
    rows = []
    for what in ("wall", "cpu"):
        medians = {name: statistics.median(getattr(each, what) for each in costs) for name, costs in found.items()}
        plain_one = next(iter(medians.values()))
        cells = [f"{median:.2f} s" for median in medians.values()]
        ratios = [f"{median / plain_one:.2f}" for median in list(medians.values())[1:]]
        rows.append([case, {"wall": "clock", "cpu": "processors"}[what], *cells, *ratios])
        say(" | ".join(rows[-1]))
    return rows


def database(directory: Path, scale: int, runs: int, trees: Mapping[str, Path]) -> list[list[str]]:
    with Postgres(directory / "postgres") as server:
        server.query("CREATE DATABASE bench")
        pgbench = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))), Path("pgbench"))
        env = {**os.environ, **server.environment}
        subprocess.run([pgbench, "-q", "-i", "-s", str(scale), "bench"], check=True, env=env, capture_output=True)
        size = int(server.query("SELECT pg_database_size('bench')")) / 1e9
        item = {"name": "bench", "hosts": "here", "database": "bench", "server": server.host, "port": server.port}
        item |= {"user": server.user, "passfile": str(server.passfile)}
        file = directory / "plain.dump"
        sides = {"plain": plain(f"pg_dump -w -Fc -d bench -f {file} && sha256sum {file}", dict(server.environment))}
        for name, tree in trees.items():
            sides[name] = checked(tree, {"databases": [item]}, directory / f"database-{name}")
        return compare(f"PostgreSQL, {size:.2f} GB", sides, runs)


def files(directory: Path, count: int, runs: int, trees: Mapping[str, Path]) -> list[list[str]]:
    top = directory / "files"
    for number in range(count):
        path = top / f"{number // 1000:03}" / f"{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{number}\n".encode() * 200)
    os.sync()
    rows = []
    item = {"name": "files", "hosts": "here", "base": str(directory), "paths": ["files"]}
    cases: list[tuple[str, dict[str, bool], Run]] = [
        ("not in memory", {"compress": False}, lambda: _forget(top)),
        ("in memory", {"compress": False}, lambda: None),
        ("in memory, without attributes", {"compress": False, "attributes": False}, lambda: None),
        ("in memory, gzip", {"compress": True}, lambda: None),
    ]
    for number, (case, options, prepare) in enumerate(cases):
        command = f"tar -c{'z' if options['compress'] else ''}f {directory / 'plain.tar'} -C {directory} files"
        sides = {"plain": plain(command)}
        for name, tree in trees.items():
            sides[name] = checked(tree, {"files": [{**item, **options}]}, directory / f"files{number}-{name}")
        rows += compare(f"{count} files, {case}", sides, runs, prepare=prepare)
    return rows


def _forget(top: Path) -> None:
    """Their contents are read from the disk by what reads them next."""
    for path in top.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    parser = comparison_parser(__doc__, "bench.backup", BEFORE, runs=3)
    parser.add_argument("--scale", type=int, default=70, help="of pgbench; 70 is 1 GB; 0: no database")
    parser.add_argument("--files", type=int, default=100_000, help="0: none")
    parser.add_argument("--directory", type=Path, help="on which disk (default the temporary one)")
    args = parser.parse_args()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(dir=args.directory) as name, trees_beside(args.before, "before") as trees:
        if args.scale:
            rows += database(Path(name), args.scale, args.runs, trees)
        if args.files:
            rows += files(Path(name), args.files, args.runs, trees)
    head = ["what", "time", "plain", *trees, *(f"{tree} / plain" for tree in trees)]
    text = f"Median of {args.runs} runs, in turn: {machine()}.\n\n{table(head, rows)}\n"
    print(text)
    if args.write:
        put("backup", text)


if __name__ == "__main__":
    main()
