"""What a plain ssh_config costs the controller, beside this project's first way of reading it, in turn.

    python -m bench.readings [--before COMMIT] [--runs 7] [--write]

Before, paramiko's parser read ssh_config, and was at times wrong: it took a comment's words for patterns, and Match
blocks that it did not know for true. The tree of that time comes from this repository's history; without it, only
today's way is measured.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.documents import machine, put, say, table
from bench.earlier import comparison, trees_beside
from bench.engine import hosts

BEFORE = "332c25c220ec6a5b3896513e743c9ef8628b95a5"
RESOLVED, ASKED = 1000, 50  # hosts
BLOCKS = 50  # each for ten of the hosts

# A process of its own for each run, for what was read once is kept. `ask` is one login and one short question.
_CHILD = """
import sys
from pathlib import Path
from remotejobs.inventory import load_inventory
try:
    from remotejobs.connections.connect import open_connection
except ImportError:
    from remotejobs.connect import open_connection
ended = {"end": b"end\\n", "timeout": 60, "max_bytes": 1000}
try:
    from remotejobs.connections.base import Question
    asked = {"question": Question(b"echo; echo end\\n", **ended)}
except ImportError:
    asked = {"script": b"echo; echo end\\n", "become": None, **ended}
opened = [open_connection(host) for host in load_inventory(Path(sys.argv[1])).hosts.values()]
if sys.argv[2] == "ask":
    for connection in opened:
        connection.ask(**asked)
        connection.close()
"""
_BLOCK = "Host h{number:02d}?\n  Port 22{number:02d}\n  User deploy\n  HostName %h.example.net\n"
_LAST = (
    "Host *\n  ConnectTimeout 10\n  ServerAliveInterval 30\n  HashKnownHosts yes\n  IdentityFile ~/.ssh/id_ed25519\n"
    "  Ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr\n"
)


def measured(trees: Mapping[str, Path], runs: int) -> list[list[str]]:
    """A row for each task, with the median for each tree in milliseconds of processor time a host."""
    with tempfile.TemporaryDirectory(prefix="rj-readings-") as name, hosts(ASKED) as real:
        directory = Path(name)
        many = directory / "hosts.yml"
        many.write_text("all:\n  hosts:\n" + "".join(f"    h{number:03d}:\n" for number in range(RESOLVED)))
        tasks = [
            (f"read the inventory and ssh_config (`Host *` alone) for {RESOLVED:,} hosts", 0, many, "open", RESOLVED),
            (f"the same with {BLOCKS} blocks", BLOCKS, many, "open", RESOLVED),
            (f"with {BLOCKS} blocks for {ASKED} real sshd, log in and ask one question", BLOCKS, real, "ask", ASKED),
        ]
        rows = []
        for what, blocks, inventory, task, count in tasks:
            say(what)
            taken = in_turn(trees, _home(directory, blocks), [str(inventory), task], runs)
            cells = [f"{statistics.median(one):.2f} s ({min(one):.2f}-{max(one):.2f})" for one in taken]
            each = [f"{statistics.median(one) / count * 1000:.2f} ms" for one in taken]
            rows.append([what, *cells, *each])
        return rows


def _home(directory: Path, blocks: int) -> Path:
    """A home with so many blocks in its ssh_config, and one for all hosts."""
    config = directory / f"home-{blocks}" / ".ssh" / "config"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("".join([*(_BLOCK.format(number=number) for number in range(blocks)), _LAST]))
    return config.parent.parent


def in_turn(trees: Mapping[str, Path], home: Path, words: list[str], runs: int) -> list[list[float]]:
    """Seconds of processor time of each whole process; the first of each tree compiles and is not counted."""
    taken: list[list[float]] = [[] for _ in trees]
    for run in range(runs + 1):
        for tree, seconds in zip(trees.values(), taken, strict=True):
            spent = _spent([sys.executable, "-c", _CHILD, *words], home, tree)
            if run:
                seconds.append(spent)
    return taken


def _spent(command: list[str], home: Path, tree: Path) -> float:
    environment = {key: value for key, value in os.environ.items() if key not in ("SSH_AUTH_SOCK", "PYTHONPATH")}
    environment |= {"HOME": str(home), "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""}
    before = os.times()
    subprocess.run(command, cwd=tree, env=environment, check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    options = comparison(__doc__, "bench.readings", BEFORE)
    with trees_beside(options.before, "paramiko's parser") as trees:
        rows = measured(trees, options.runs)
    head = ["processor time of the whole process", *trees, *(f"a host, {name}" for name in trees)]
    text = f"Median of {options.runs} runs (least-most), in turn: {machine('paramiko')}.\n\n{table(head, rows)}\n"
    print(text)
    if options.write:
        put("readings", text)


if __name__ == "__main__":
    main()
