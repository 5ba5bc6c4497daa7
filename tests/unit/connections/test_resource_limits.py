"""Open files and threads for many hosts: made where they may be, refused with words where not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import remotejobs.connections.resource_limits as resource_limits
from remotejobs.connections.resource_limits import ResourceLimitExceeded, ensure_resource_limits


def limited(soft: int, hard: int, hosts: int) -> str:
    """What a program says of its limits that wants so many hosts."""
    program = (
        "import resource\n"
        "from remotejobs.connections.resource_limits import ensure_resource_limits, ResourceLimitExceeded\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "try:\n"
        f"    ensure_resource_limits({hosts}); print(*resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "except ResourceLimitExceeded as exc:\n"
        "    print(exc)"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_the_soft_limit_of_open_files_is_raised_as_far_as_the_hosts_need() -> None:
    assert limited(256, 5000, 1000) == "3128 5000"


def test_it_is_raised_no_further_than_the_hard_limit() -> None:
    assert limited(256, 1500, 1000) == "1500 1500"


def test_it_is_never_lowered() -> None:
    assert limited(4000, 5000, 10) == "4000 5000"


def test_too_few_files_are_reported_with_what_is_needed_what_there_is_and_the_remedy() -> None:
    assert limited(256, 1024, 1000) == (
        "1000 hosts need 1128 open files, and the hard limit of this process is 1024. Set `ulimit -Hn 1128` as root "
        "before, or LimitNOFILE=1128 in the systemd unit, or take fewer hosts at a time."
    )


def test_too_few_threads_are_reported_likewise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "threads-max").write_text("2000\n")
    monkeypatch.setattr(resource_limits, "_KERNEL", tmp_path)
    ensure_resource_limits(900)
    with pytest.raises(
        ResourceLimitExceeded, match="1000 hosts need 2128 threads, and kernel/threads-max allows 2000. Raise it with"
    ):
        ensure_resource_limits(1000)


def test_the_number_of_processes_of_a_control_group_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pids.max").write_text("512\n")
    (tmp_path / "pids.current").write_text("100\n")
    monkeypatch.setattr(resource_limits, "_cgroups", lambda: [tmp_path])
    ensure_resource_limits(100)
    with pytest.raises(
        ResourceLimitExceeded, match="200 hosts need 528 threads, .*pids.max, less what runs, allows 412. .*TasksMax"
    ):
        ensure_resource_limits(200)
