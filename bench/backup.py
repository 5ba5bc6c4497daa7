"""What a checked backup costs beside the plain program: a PostgreSQL database against pg_dump, small files against tar.

    python -m bench.backup [--scale 70] [--files 100000] [--runs 3] [--directory DIR]

Each is done in turn, on the same disk, without SSH and without a restore test. Beside the time on the clock stands the
processor time of all that was run: on a busy machine only that can be compared.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from bench.documents import say
from lab.servers.postgres import Postgres
from remotejobs.operations.backup import BackupPlan, job_of

_FIELDS = ("case", "plain s", "checked s", "ratio", "plain cpu s", "checked cpu s", "cpu ratio")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock and of processors. PostgreSQL's own server counts in neither: it does the same for both."""

    wall: float
    cpu: float


@contextmanager
def cost(into: list[Cost]) -> Iterator[None]:
    """What is run inside, to its end. Processes that this one reaps are counted, as are theirs."""
    began, used = time.monotonic(), _used()
    yield
    into.append(Cost(time.monotonic() - began, _used() - used))


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plain(command: str, env: dict[str, str] | None = None) -> Callable[[], None]:
    def run() -> None:
        subprocess.run(["sh", "-c", command], check=True, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL)

    return run


def checked(plan: BackupPlan, directory: Path) -> Callable[[], None]:
    """The item's own job, run by its command alone, so that its processes are children of this one."""

    def run() -> None:
        job = job_of(plan, plan.items[0], host="here", jid=uuid4().hex)
        script = directory / "cmd"
        script.write_text(job.cmd)
        done = subprocess.run(["sh", str(script)], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        shutil.rmtree(directory / "backups")

    return run


def compare(case: str, one: Callable[[], None], other: Callable[[], None], runs: int) -> None:
    """In turn, after a run of each that warms the cache; the medians."""
    ones: list[Cost] = []
    others: list[Cost] = []
    one()
    for _ in range(runs):
        with cost(ones):
            one()
        with cost(others):
            other()
    wall, cpu = (
        [statistics.median(getattr(each, name) for each in side) for side in (ones, others)] for name in ("wall", "cpu")
    )
    cells = [f"{wall[0]:.1f}", f"{wall[1]:.1f}", f"{wall[1] / wall[0]:.2f}", f"{cpu[0]:.1f}", f"{cpu[1]:.1f}"]
    say(" | ".join([case, *cells, f"{cpu[1] / cpu[0]:.2f}"]))


def database(directory: Path, scale: int, runs: int) -> None:
    with Postgres(directory / "postgres") as server:
        server.query("CREATE DATABASE bench")
        pgbench = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))), Path("pgbench"))
        subprocess.run(
            [pgbench, "-q", "-i", "-s", str(scale), "bench"],
            check=True,
            env={**os.environ, **server.environment},
            capture_output=True,
        )
        size = int(server.query("SELECT pg_database_size('bench')")) / 1e9
        item = {"name": "bench", "hosts": "here", "database": "bench", "server": server.host, "port": server.port}
        item |= {"user": server.user, "passfile": str(server.passfile)}
        plan = BackupPlan.model_validate(
            {"databases": [item], "directory": str(directory / "backups"), "min_free_mib": 0}
        )
        file = directory / "plain.dump"
        command = f"pg_dump -w -Fc -d bench -f {file} && sha256sum {file}"
        compare(f"PostgreSQL, {size:.2f} GB", plain(command, dict(server.environment)), checked(plan, directory), runs)
        file.unlink()


def files(directory: Path, count: int, runs: int, *, compress: bool) -> None:
    base = directory / "files"
    for number in range(0 if base.exists() else count):
        path = base / f"{number // 1000:03}" / f"{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{number}\n".encode() * 200)
    item = {"name": "files", "hosts": "here", "base": str(directory), "paths": ["files"], "compress": compress}
    plan = BackupPlan.model_validate({"files": [item], "directory": str(directory / "backups"), "min_free_mib": 0})
    file = directory / "plain.tar"
    command = f"tar -c{'z' if compress else ''}f {file} -C {directory} files"
    compare(f"{count} files{', gzip' if compress else ''}", plain(command), checked(plan, directory), runs)
    file.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, default=70, help="of pgbench; 70 is 1 GB; 0: no database")
    parser.add_argument("--files", type=int, default=100_000, help="0: none")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="on which disk (default the temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.directory) as name:
        say(" | ".join(_FIELDS))
        if args.scale:
            database(Path(name), args.scale, args.runs)
        if args.files:
            files(Path(name), args.files, args.runs, compress=False)
            files(Path(name), args.files, args.runs, compress=True)


if __name__ == "__main__":
    main()
