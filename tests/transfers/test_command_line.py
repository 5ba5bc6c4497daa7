"""`remotejobs push` and `pull`, in a process of their own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.proxy import Proxy
from remotejobs.operations.transfer import sum_of
from tests.awaiting import await_true
from tests.cli.running import COMMAND, environment, remotejobs
from tests.cli.terminal import on_terminal
from tests.transfers.conftest import MIB, random_file

MOST_MEMORY = 100 * 1024  # KiB
# The peak of a process lives on over exec, so the child would report pytest's: a small one stands between.
MEASURED = """import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)"""


def test_a_file_goes_to_every_host_and_comes_back_from_each_to_a_place_of_its_own(
    inventory: Path, tmp_path: Path
) -> None:
    source = random_file(tmp_path / "source", 1)
    ended = remotejobs("push", "files1", str(source), str(tmp_path / "there"), "-i", str(inventory))
    assert ended.code == 0, ended.err
    assert f"files1: {tmp_path}/there (1.0 MiB in " in ended.out and "on both ends" in ended.out
    ended = remotejobs("pull", "all", str(source), f"{tmp_path}/{{host}}.copy", "-i", str(inventory), "--json")
    assert ended.code == 0, ended.err
    assert {line["host"]: line["sha256"] for line in ended.objects} == dict.fromkeys(
        ("files1", "files2"), sum_of(source)
    )
    assert (tmp_path / "files2.copy").read_bytes() == source.read_bytes()


def test_two_hosts_are_not_written_to_one_file(inventory: Path, tmp_path: Path) -> None:
    ended = remotejobs("pull", "all", "/etc/hostname", str(tmp_path / "copy"), "-i", str(inventory))
    assert ended.code == 1
    assert "2 hosts would write to" in ended.err and "Put {host} into it" in ended.err


def test_a_host_that_refuses_is_named_and_does_not_stop_the_others(inventory: Path, tmp_path: Path) -> None:
    ended = remotejobs("pull", "all", str(tmp_path / "missing"), f"{tmp_path}/{{host}}", "-i", str(inventory))
    assert ended.code == 2
    assert ended.err.count("does not exist") == 2


@pytest.mark.faults
@pytest.mark.parametrize("mib", [64, pytest.param(1024, marks=pytest.mark.slowest)])
@pytest.mark.parametrize("verb", ["push", "pull"])
def test_much_arrives_whole_through_three_cuts_in_little_memory(
    shaky_inventory: Path, proxy: Proxy, tmp_path: Path, verb: str, mib: int
) -> None:
    source, dest = random_file(tmp_path / "source", mib), tmp_path / "dest"
    # Slow enough for each cut to come while it goes on.
    words = [*COMMAND, verb, "files1", str(source), str(dest), "-i", str(shaky_inventory), "--rate", f"{mib // 4}M"]
    running = subprocess.Popen(
        [sys.executable, "-c", MEASURED, *words], stdout=subprocess.PIPE, env=environment(), text=True
    )
    cutting = threading.Thread(target=_cut_thrice, args=(proxy, tmp_path, mib * MIB, running))
    cutting.start()
    said, _ = running.communicate()
    cutting.join()
    assert running.returncode == 0, said
    assert "3 lost connections" in said
    assert sum_of(dest) == sum_of(source)
    assert int(said.split()[-1]) < MOST_MEMORY


def _cut_thrice(proxy: Proxy, directory: Path, size: int, running: subprocess.Popen[str]) -> None:
    """Each time another quarter has arrived."""
    for quarter in (1, 2, 3):
        arrived = quarter * size // 4
        await_true(lambda: _arrived(directory) >= arrived or running.poll() is not None)  # noqa: B023 - called at once
        proxy.cut()


def _arrived(directory: Path) -> int:
    return max((path.stat().st_size for path in directory.glob(".dest.*.part")), default=0)


def test_a_terminal_shows_a_bar_for_each_host_that_is_gone_at_the_end(inventory: Path, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 4)
    words = ["pull", "all", str(source), f"{tmp_path}/{{host}}.copy", "-i", str(inventory), "--rate", "4M"]
    code, seen = on_terminal(*words)
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    for host in ("files1", "files2"):
        assert re.search(rf"{host} ━+ *\d\.\d/4\.0 MiB", plain)
    assert "━" not in "".join(plain.rstrip().splitlines()[-2:])


@pytest.mark.faults
def test_what_an_interrupted_push_left_is_gone_on_with(inventory: Path, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 16)
    words = ["push", "files1", str(source), str(tmp_path / "dest"), "-i", str(inventory)]
    # At that rate seven seconds are left when it is interrupted.
    running = subprocess.Popen([*COMMAND, *words, "--rate", "2M"], stdout=subprocess.DEVNULL, env=environment())
    await_true(lambda: _arrived(tmp_path) >= 2 * MIB)
    running.send_signal(signal.SIGINT)
    assert running.wait() == 130
    ended = remotejobs(*words)
    assert "from an earlier try" in ended.out
    assert sum_of(tmp_path / "dest") == sum_of(source)
