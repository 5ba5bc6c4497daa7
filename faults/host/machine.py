"""Hosts that are odd: a clock that jumps, tools that are missing, and ten thousand old results."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from faults.host.processes import left_under
from faults.network.transports import ProgramConnection, jobs_at
from faults.oracle import Oracle, short, stubborn
from faults.trial import SURVIVED, Trial, Try, lost
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.wait import retry_while_unreachable
from remotejobs.model import State

DAY = 86400
CLEANED_WITHIN = 1800.0
DATE = """#!/bin/sh
real=$({date} +%s)
exec {date} -d "@$((real + $(cat {offset})))" "$@"
"""


def clock_jumps(trial: Trial) -> Iterator[Try]:
    """`date` on the host jumps by up to a day while a job runs; neither its limit nor its length feels it."""
    offset, programs = trial.directory / "offset", trial.directory / "bin"
    programs.mkdir()
    offset.write_text("0")
    (programs / "date").write_text(DATE.format(date=shutil.which("date"), offset=offset))
    (programs / "date").chmod(0o755)
    jobs = jobs_at(ProgramConnection(env={"PATH": f"{programs}:{os.environ['PATH']}"}), trial.directory / "jobs")
    for number in range(trial.tries):
        oracle = _either(trial, number)
        jobs.start(oracle.job)
        offset.write_text(str(trial.chance.choice([-DAY, -3600, 3600, DAY])))
        record = jobs.record(oracle.job.jid, wait=60)
        offset.write_text("0")
        true = replace(record, rc=None if oracle.rc is None else record.rc)
        yield oracle.judge(true) if 0 <= (record.delta or -1) < 60 else lost(f"{record.jid} took {record.delta} s")


def _either(trial: Trial, number: int) -> Oracle:
    """A job that ends before its limit, or one that its limit has to end."""
    jid = f"job{number}"
    if number % 2:
        return replace(stubborn(trial.directory, jid, timeout=1), state=State.TIMED_OUT)
    return short(trial.directory, jid, trial.chance, timeout=30)


def without_setsid(trial: Trial) -> Iterator[Try]:
    """busybox's tools, and among them no setsid."""
    path = str(busybox_without(trial.directory / "bin", "setsid"))
    yield from _all_ways(trial, jobs_at(ProgramConnection(env={"PATH": path}), trial.directory / "jobs"))


def busybox_without(place: Path, missing: str) -> Path:
    """A directory of programs: all that busybox is, but one."""
    place.mkdir()
    names = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name != missing:
            (place / name).symlink_to("/bin/busybox")
    return place


def _all_ways(trial: Trial, jobs: HostJobs) -> Iterator[Try]:
    """Jobs that end by themselves, by their limit, and by a kill, each with a child in the same session."""
    for number in range(trial.tries):
        oracle = _either(trial, number)
        # setsid is not there to be used by the command either.
        oracle = replace(oracle, job=replace(oracle.job, cmd=oracle.job.cmd.replace("setsid ", "")))
        jobs.start(oracle.job)
        record = jobs.record(oracle.job.jid, wait=60)
        yield oracle.judge(replace(record, rc=None) if oracle.rc is None else record)
    if left := left_under(trial.directory / "jobs"):
        yield lost(f"{left} run on")


def many_old_results(trial: Trial) -> Iterator[Try]:
    """One try an old result: each is still reported, a new job runs and is seen among them, and all can be cleaned."""
    jobs = jobs_at(ProgramConnection(), trial.directory / "jobs")
    old = short(trial.directory, "old", trial.chance, longest=0.0)
    jobs.start(old.job)
    record = jobs.record("old", wait=60)
    left_under(trial.directory / "jobs")  # what the supervisor removes at its end would be copied otherwise
    for number in range(1, trial.tries):
        shutil.copytree(record.results_dir, Path(record.results_dir).with_name(f"old{number}"), copy_function=os.link)
    new = short(trial.directory, "new", trial.chance)
    jobs.start(new.job)
    verdict = new.judge(jobs.record("new", wait=60))
    if verdict is not SURVIVED:
        yield verdict
    reported = {each.jid: each.state for each in jobs.list()}
    # One answer has five minutes; on a busy host ten thousand take longer, and the next clean goes on where it ended.
    retry_while_unreachable(lambda: jobs.clean(older_than=-1), contact_timeout=CLEANED_WITHIN)
    if left := jobs.list():
        yield lost(f"{len(left)} of {trial.tries + 1} results were not cleaned")
    for number in range(trial.tries):
        jid = f"old{number}" if number else "old"
        yield SURVIVED if reported.get(jid) is old.state else lost(f"{jid} is reported as {reported.get(jid)}")
