"""Tables of figures: printed, and put between the marks in the documents that show them."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PROJECT = Path(__file__).parent.parent
RESULTS = PROJECT / "bench" / "results"
PAGE = PROJECT / "docs" / "explanation" / "benchmarks.md"


def machine(*packages: str) -> str:
    """Where and with what it was measured: date, cores, versions of Python, OpenSSH and `packages`."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split(",")[0]
    cores = f"{os.cpu_count()} cores ({found[1] if found else platform.machine()})"
    others = [f"{name} {version(name)}" for name in packages]
    return ", ".join([f"{datetime.now(UTC):%Y-%m-%d}", cores, f"Python {platform.python_version()}", ssh, *others])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put(name: str, text: str, *pages: Path) -> None:
    """Put `text` between the marks of that name, in docs/explanation/benchmarks.md or in `pages`."""
    between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    for page in pages or (PAGE,):
        before = page.read_text()
        if not between.search(before):
            raise ValueError(f"{page} has no marks <!-- {name} --> and <!-- /{name} -->")
        page.write_text(between.sub(lambda match: match[1] + text + match[2], before))


def save(name: str, figures: Mapping[str, object], *packages: str) -> None:
    """Keep the figures themselves, to be drawn or compared."""
    RESULTS.mkdir(exist_ok=True)
    kept = {"machine": machine(*packages), **figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def say(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)
