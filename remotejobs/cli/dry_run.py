"""`--dry-run` of `run`, `push` and `pull`: what would be done where. No host is asked, and no password either."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

from remotejobs.cli.show import say
from remotejobs.cli.target import Target
from remotejobs.connections.address import addresses_of, login_user_of
from remotejobs.connections.become import become_for
from remotejobs.connections.connect import check_way
from remotejobs.display.paint import Paint
from remotejobs.display.table import table
from remotejobs.inventory import Host
from remotejobs.model import Job
from remotejobs.text import duration, indented, number_of, one_line, visible

_ENDS = ("host", "from", "to")
HEADS = ("host", "address", "as user")


def say_what_would_run(job: Job, target: Target, *, as_json: bool) -> None:
    """A table of the hosts and what is the same on all; in JSON an object for each host.

    `UsageError` as for a real run.
    """
    hosts = target.hosts()
    for host in hosts:
        check_way(host)
    if as_json:
        for host, address in zip(hosts, addresses_of(hosts), strict=True):
            say(json.dumps(_object(job, target, host, address)))
        return
    say(f"{job.jid} would run on {number_of(len(hosts), 'host')}:")
    say(indented(visible(job.cmd)))
    for name, value in _settings(job):
        say(f"{name}: {one_line(value)}")
    for line in table(HEADS, _rows(hosts, target), Paint.for_stream(sys.stdout)):
        say(line)
    say("Nothing was started, and no host was asked.")


def say_what_would_go(target: Target, ends: Callable[[Host], tuple[str, str]], *, as_json: bool) -> None:
    """For each host what a transfer would read and write; `UsageError` as for a real one."""
    hosts = target.hosts()
    for host in hosts:
        check_way(host)
    rows = [(host.name, *ends(host)) for host in hosts]
    if as_json:
        for row in rows:
            say(json.dumps(dict(zip(_ENDS, row, strict=True))))
        return
    for line in table(_ENDS, rows, Paint.for_stream(sys.stdout)):
        say(line)
    say("Nothing was copied, and no host was asked.")


def _rows(hosts: Sequence[Host], target: Target) -> list[tuple[str, ...]]:
    return [
        (host.name, address, _user(target, host) or "(login user)")
        for host, address in zip(hosts, addresses_of(hosts), strict=True)
    ]


def _user(target: Target, host: Host) -> str:
    """The user it would run as; "" on this machine, where there is no login."""
    become = become_for(host, become=target.become or None, user=target.become_user or None)
    return become.user if become else login_user_of(host)


def _settings(job: Job) -> list[tuple[str, str]]:
    """What was asked for, name by name. Of the environment only the names: values may be secret."""
    given = [
        ("timeout", duration(job.timeout) if job.timeout else ""),
        ("idle timeout", duration(job.idle_timeout) if job.idle_timeout else ""),
        ("locks", ", ".join(job.locks)),
        ("slots", " in ".join(filter(None, (str(job.slots or ""), job.pool)))),
        ("queue timeout", duration(job.queue_timeout) if job.queue_timeout else ""),
        ("launcher", job.launcher if job.launcher != "auto" else ""),
        ("directory", job.chdir),
        ("environment", ", ".join(sorted(job.env))),
    ]
    return [(name, value) for name, value in given if value]


def _object(job: Job, target: Target, host: Host, address: str) -> dict[str, object]:
    return {
        "host": host.name,
        "address": address,
        "user": _user(target, host),
        "jid": job.jid,
        "label": job.label,
        "cmd": job.cmd,
        "timeout": job.timeout,
        "idle_timeout": job.idle_timeout,
        "locks": list(job.locks),
        "slots": job.slots,
        "pool": job.pool,
        "queue_timeout": job.queue_timeout,
        "launcher": job.launcher,
        "chdir": job.chdir,
        "env": sorted(job.env),
    }
