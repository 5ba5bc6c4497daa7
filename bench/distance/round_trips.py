"""Round trips: how much longer it takes when everything sent is late, beside an earlier build and OpenSSH, in turn.

    python -m bench.distance.round_trips [--before COMMIT] [--runs 5] [--delays 0,20,100] [--write]

One real sshd behind a TCP proxy that delays (`bench.distance.slow_wire`). The slope over the delay is the number of
round trips, whatever else takes its time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.documents import PROJECT, machine, put, say, table
from bench.earlier import trees_beside
from lab.servers.sshd import SshLab

BEFORE = "2bc6718"
RUN = "run -P 0: connect, start, answer"
END = "run -P 1 of true, to the end"
LOOK = "a look on an open connection"
SSH = "ssh HOST 'sh -s' with one line"

# The looks of one process: the second and the third, when all is open that stays open.
_LOOKS = """
import sys, time
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.wait import wait_until_ended
from remotejobs.model import Job
with Fleet(load_inventory(sys.argv[1]).select("all")) as fleet:
    jobs = fleet.jobs("far")
    jobs.start(Job(jid=sys.argv[2], cmd="sleep 600"))
    seen = []
    class Enough(Exception): pass
    def poll(record):
        seen.append(time.perf_counter())
        if len(seen) > 3:
            raise Enough
    try:
        wait_until_ended(jobs, sys.argv[2], poll=1, on_poll=poll)
    except Enough:
        pass
    print((seen[3] - seen[1]) / 2 - 1)
    jobs.kill(sys.argv[2], grace=0)
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.distance.round_trips", description=__doc__)
    parser.add_argument("--before", default=BEFORE, help="the commit to measure beside this tree")
    parser.add_argument("--runs", type=int, default=5, help="runs of each; the median is reported")
    parser.add_argument("--delays", default="0,20,100", help="milliseconds that everything takes in each direction")
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/benchmarks.md")
    options = parser.parse_args()
    delays = [float(word) for word in options.delays.split(",")]
    with trees_beside(options.before, "before") as trees:
        seconds = _measured(trees, delays, options.runs)
    rows = []
    columns = [*trees, "OpenSSH"]
    for what in (RUN, END, LOOK, SSH):
        found = [{delay: seconds.get((column, what, delay), []) for delay in delays} for column in columns]
        rows.append([what, *map(_trips, found)])
    how = f"Median of {options.runs} runs at {options.delays} ms in each direction, in turn: {machine('paramiko')}."
    text = f"{how}\n\n{table(['round trips', *columns], rows)}\n"
    print(text)
    if options.write:
        put("round trips", text)


def _trips(seconds: Mapping[float, list[float]]) -> str:
    """The slope of a line through the medians, and the medians themselves."""
    delays = [delay for delay, figures in seconds.items() if figures]
    if not delays:
        return ""
    medians = [statistics.median(seconds[delay]) for delay in delays]
    slope = statistics.linear_regression([2 * delay / 1000 for delay in delays], medians).slope
    return f"{slope:.1f} ({', '.join(f'{median:.2f}' for median in medians)} s)"


def _measured(
    trees: Mapping[str, Path], delays: Sequence[float], runs: int
) -> dict[tuple[str, str, float], list[float]]:
    found: dict[tuple[str, str, float], list[float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="rj-bench-") as name,
        SshLab(Path(name) / "lab", ["far"]) as lab,
        ExitStack() as stack,
    ):
        wires = {delay: stack.enter_context(_behind_wire(lab, delay, Path(name))) for delay in delays}
        for number in range(runs):
            say(f"run {number + 1} of {runs}")
            for delay, inventory in wires.items():
                for tree, path in trees.items():
                    for what, took in _run(path, inventory).items():
                        found.setdefault((tree, what, delay), []).append(took)
                found.setdefault(("OpenSSH", SSH, delay), []).append(_ssh(inventory))
    return found


def _run(tree: Path, inventory: Path) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""}
    ours = [sys.executable, "-m", "remotejobs", "run", "all", "-i", str(inventory), "-B", "60"]

    def took(*words: str) -> float:
        began = time.perf_counter()
        subprocess.run(words, env=environment, cwd=tree, check=True, capture_output=True)
        return time.perf_counter() - began

    looks = subprocess.run(
        [sys.executable, "-c", _LOOKS, str(inventory), f"look{time.monotonic_ns()}"],
        env=environment,
        cwd=tree,
        check=True,
        capture_output=True,
        text=True,
    )
    return {
        RUN: took(*ours, "-P", "0", "--", "sleep 1"),
        END: took(*ours, "-P", "1", "--", "true"),
        LOOK: float(looks.stdout),
    }


def _ssh(inventory: Path) -> float:
    """OpenSSH's own client, with the same key exchange."""
    far = json.loads(inventory.read_text())["all"]["hosts"]["far"]
    words = ["ssh", "-p", str(far["ansible_port"]), "-i", far["ansible_ssh_private_key_file"], "-o", "BatchMode=yes"]
    words += ["-o", "KexAlgorithms=curve25519-sha256", "-o", "IdentitiesOnly=yes"]
    words += ["-o", f"UserKnownHostsFile={inventory.with_suffix('.known')}", "127.0.0.1", "sh -s"]
    began = time.perf_counter()
    subprocess.run(words, input=b"echo done\n", check=True, capture_output=True)
    return time.perf_counter() - began


@contextmanager
def _behind_wire(lab: SshLab, delay: float, directory: Path) -> Iterator[Path]:
    """The inventory of the lab's host, reached through a proxy that makes everything late by so many milliseconds."""
    host = lab.host("far")
    words = [sys.executable, "-m", "bench.distance.slow_wire", str(host.port), str(delay)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as proxy:
        try:
            assert proxy.stdout
            port = int(proxy.stdout.readline())
            inventory = directory / f"late-{delay:g}.json"
            known = inventory.with_suffix(".known")
            known.write_text(lab.known_hosts.read_text().replace(f"]:{host.port} ", f"]:{port} "))
            variables = lab.variables("far")
            options = variables["ansible_ssh_common_args"].replace(str(lab.known_hosts), str(known))
            variables |= {"ansible_port": port, "ansible_ssh_common_args": options}
            inventory.write_text(json.dumps({"all": {"hosts": {"far": variables}}}))
            yield inventory
        finally:
            proxy.terminate()


if __name__ == "__main__":
    main()
