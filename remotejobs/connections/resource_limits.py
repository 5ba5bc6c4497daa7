"""The limits of open files and threads: raised for many hosts, or the hosts refused, before anything begins."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from remotejobs.errors import UsageError

FILES = 1  # a host: the socket of its connection
THREADS = 2  # a host: one reads its connection, and one waits for it where it is unreachable
SPARE_FILES = 128  # for all else that a program opens, Prefect's own connections among it
SPARE_THREADS = 128

_COMMANDS = 2  # files more for each host that is reached through a ProxyCommand, of which nothing is known here
_CGROUPS = Path("/sys/fs/cgroup")
_KERNEL = Path("/proc/sys")
_MAPS_A_THREAD = 2  # its stack, and the page that guards it


class ResourceLimitExceeded(UsageError):
    """This process may not have as many open files or threads as its hosts need."""


def raise_resource_limits(hosts: int) -> None:
    """Let this process open the files that `hosts` connections need, up to the hard limit."""
    _raise_soft_limit(SPARE_FILES + (FILES + _COMMANDS) * hosts)


def ensure_resource_limits(hosts: int) -> None:
    """The same, and raise `ResourceLimitExceeded` if files or threads are too few; it says how to get more."""
    raise_resource_limits(hosts)
    need, have = SPARE_FILES + FILES * hosts, _soft(resource.RLIMIT_NOFILE)
    if need > have:
        raise ResourceLimitExceeded(
            f"{hosts} hosts need {need} open files, and the hard limit of this process is {have}",
            remedy=f"Set `ulimit -Hn {need}` as root before, or LimitNOFILE={need} in the systemd unit, "
            "or take fewer hosts at a time.",
        )
    threads = THREADS * hosts
    for allowed, what, remedy in _thread_limits():
        if threads + SPARE_THREADS > allowed:
            raise ResourceLimitExceeded(
                f"{hosts} hosts need {threads + SPARE_THREADS} threads, and {what} allows {allowed}",
                remedy=f"{remedy}, or take fewer hosts at a time.",
            )


def _raise_soft_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    # It may be refused all the same, as in some containers: the limits are checked next.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def _soft(limit: int) -> int:
    soft = resource.getrlimit(limit)[0]
    return 2**62 if soft == resource.RLIM_INFINITY else soft


def _thread_limits() -> Iterator[tuple[int, str, str]]:
    """Each bound on threads that there is: how many, by what, and how to have more."""
    if os.geteuid():  # root is not bound by it
        yield _soft(resource.RLIMIT_NPROC), "`ulimit -u`", "Raise it, or set LimitNPROC= in the systemd unit"
    for cgroup in _cgroups():
        if (allowed := _number(cgroup / "pids.max")) is not None:
            taken = _number(cgroup / "pids.current") or 0
            yield allowed - taken, f"{cgroup}/pids.max, less what runs,", "Raise TasksMax= of the systemd unit"
    for name, share in (("kernel/threads-max", 1), ("kernel/pid_max", 1), ("vm/max_map_count", _MAPS_A_THREAD)):
        if (allowed := _number(_KERNEL / name)) is not None:
            yield allowed // share, name, f"Raise it with `sysctl {name.replace('/', '.')}`"


def _cgroups() -> Iterator[Path]:
    """The control groups that this process is in, the innermost first."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith("0::/"):
            here = _CGROUPS / line.removeprefix("0::/")
            yield from (place for place in (here, *here.parents) if place.is_relative_to(_CGROUPS))


def _number(path: Path) -> int | None:
    """None where there is no such file, or no limit."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
