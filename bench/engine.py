"""The figures of the job engine: launch, poll, end, memory, and Ansible's async beside it."""

from __future__ import annotations

import shlex
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.documents import PROJECT
from bench.measure import Timing, children, pss, timed
from lab.job_files import reaper_of, supervisor_of
from lab.servers.sshd import SshLab
from remotejobs.inventory import load_inventory
from remotejobs.inventory.variables import text
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Job

BIN = Path(sys.executable).parent
SLEEP = 5
Say = Callable[[str], None]
_MEMORY = {1000: "at most 300 MiB"}


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One line of the table: what was measured, the figure, and what was aimed at."""

    what: str
    figure: str
    aim: str = ""


@contextmanager
def hosts(count: int) -> Iterator[Path]:
    """So many real sshd; yields their inventory."""
    with TemporaryDirectory(prefix="rj-bench-") as name:
        directory = Path(name)
        with SshLab(directory, [f"h{number:03d}" for number in range(count)]) as lab:
            yield lab.write_inventory(directory / "hosts.yml")


def ours(inventory: Path, poll: int, runs: int, tree: Path = PROJECT) -> Timing:
    """`remotejobs run`, as it is in `tree`, of a sleep on all hosts; poll 0 starts and returns."""
    words = [str(BIN / "remotejobs"), "run", "all", "-i", str(inventory), "-B", "60", "-P", str(poll)]
    commands = [[*words, "--jid", f"b{uuid.uuid4().hex[:8]}", "--", "sleep", str(SLEEP)] for _ in range(runs)]
    return timed(commands, {"PYTHONPATH": str(tree)})


def ansible(inventory: Path, forks: int) -> Timing:
    """An ad-hoc `sleep` with -B and -P."""
    words = ["all", "-B", "60", "-P", "1", "-m", "shell", "-a", f"sleep {SLEEP}"]
    return timed_ansible("ansible", inventory, forks, words)


def timed_ansible(program: str, inventory: Path, forks: int, words: list[str]) -> Timing:
    # It writes the records of its jobs under $HOME and reads them under ~root, which is not one place here.
    records = f"ansible_async_dir={inventory.with_name('ansible_async')}"
    command = [str(BIN / program), "-i", str(inventory), "-e", records, "-f", str(forks), *words]
    # A peer that fails on some hosts still took its time; its exit code stands beside that.
    return timed([command], {"ANSIBLE_HOST_KEY_CHECKING": "False"}, check=False)


def openssh(inventory: Path, runs: int) -> Timing:
    """The floor: OpenSSH's own client, one for each host and all at once, leaves a bare `sleep` behind."""
    ports = [text(host, "ansible_port") for host in load_inventory(inventory).hosts.values()]
    options = ["-n", "-i", inventory.with_name("id_ed25519"), "-o", "BatchMode=yes"]
    options += ["-o", f"UserKnownHostsFile={inventory.with_name('known_hosts')}"]
    words = [*map(str, options), "127.0.0.1", f"setsid sleep {SLEEP} >/dev/null 2>&1 &"]
    logins = [f'{shlex.join(["ssh", "-p", port, *words])} & all="$all $!"' for port in ports]
    # A bare `wait` succeeds whatever became of the logins, and refused ones are fast.
    script = ["all=", *logins, "for one in $all; do wait $one || exit 1; done"]
    return timed([["sh", "-c", "\n".join(script)]] * runs)


def fleet_rows(say: Say, sizes: tuple[int, ...], runs: int) -> Iterator[FigureRow]:
    """Launch, run and growth over the number of hosts; with 50 hosts, Ansible in the same run."""
    for count in sizes:
        say(f"{count} hosts")
        with hosts(count) as inventory:
            ours(inventory, 0, 1)  # warm caches
            time.sleep(SLEEP)  # the jobs just started must not run beside what is measured
            start = ours(inventory, 0, runs)
            time.sleep(SLEEP)
            whole = ours(inventory, 1, runs)
            aims = {50: ("at most 0.8 s", "5.75 s, at most 6.0 s"), 200: ("", "at most 9 s")}.get(count, ("", ""))
            yield FigureRow(f"{count} hosts: start only (`-P 0`)", str(start), aims[0])
            yield FigureRow(f"{count} hosts: `sleep {SLEEP}` with `-P 1`, to the end", str(whole), aims[1])
            over = (whole.wall - SLEEP) / count * 1000
            yield FigureRow(
                f"{count} hosts: over the sleep, a host",
                f"{over:.1f} ms wall, {whole.cpu / count * 1000:.1f} ms controller CPU",
            )
            yield FigureRow(
                f"{count} hosts: peak memory of the controller", f"{whole.memory:.0f} MiB", _MEMORY.get(count, "")
            )
            if count == 50:
                say("OpenSSH, 50 hosts")
                theirs = openssh(inventory, runs)
                yield FigureRow(
                    f"{count} hosts: start only by plain `ssh` side by side, no record, no limit", str(theirs)
                )
                time.sleep(SLEEP)
            if count == 50 and (BIN / "ansible").exists():
                say("Ansible, 50 hosts")
                theirs = ansible(inventory, count)
                yield FigureRow(f"{count} hosts: `ansible -B 60 -P 1 -f {count}`", str(theirs))
                ratio = "not comparable: it failed" if any(theirs.codes) else f"{theirs.wall / whole.wall:.1f} times"
                yield FigureRow("Ansible's time over ours", ratio, "at least 8 times")


def host_rows(say: Say) -> Iterator[FigureRow]:
    """What one open connection and one running job cost."""
    say("one host")
    with hosts(1) as inventory, Fleet(load_inventory(inventory).hosts.values()) as fleet:
        jobs = fleet.jobs("h000")
        record = jobs.start(Job(jid="costs", cmd="sleep 600", timeout=600))
        yield FigureRow(
            "controller CPU for a status on an open connection", f"{_status_cpu(jobs):.2f} ms", "at most 1.5 ms"
        )
        supervisor = supervisor_of(record)
        reaper = reaper_of(record)
        timer = [pid for pid in children(supervisor) if pid not in (record.pid, reaper)]
        whole = pss(supervisor) + sum(pss(pid) + sum(map(pss, children(pid))) for pid in timer)
        yield FigureRow("host memory (PSS) of the supervising process", f"{pss(supervisor)} KiB", "at most 1 MiB")
        yield FigureRow("the same with the timer of a time limit", f"{whole} KiB")
        yield FigureRow("the reaper's", f"{pss(reaper)} KiB", "at most 1 MiB")
        jobs.kill("costs", grace=0)
        yield FigureRow("from the end of the command until it is known", f"{_lag(jobs):.0f} ms", "at most 300 ms")
        yield FigureRow("host disk for a finished job", f"{_disk(record.results_dir)} KiB")


def _status_cpu(jobs: HostJobs, polls: int = 300) -> float:
    before = time.process_time()
    for _ in range(polls):
        jobs.record("costs")
    return (time.process_time() - before) / polls * 1000


def _lag(jobs: HostJobs, times: int = 11) -> float:
    """Milliseconds, median: the command says when it ends, by the clock that the controller here shares with it."""
    lags = []
    for number in range(times):
        jid = f"lag{number}"
        jobs.start(Job(jid=jid, cmd="sleep 0.5; date +%s.%N"))
        end = float(jobs.record(jid, wait=30).stdout)
        lags.append((time.time() - end) * 1000)
    return statistics.median(lags)


def _disk(results_dir: str) -> int:
    place = Path(results_dir)
    return sum(path.lstat().st_blocks for path in [place, *place.iterdir()]) // 2
