"""`remotejobs backups restore`: check first, show what would be done, refuse to replace unasked, then start a job.

`remotejobs backups verify` is a job alone.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from remotejobs.cli import exit_codes
from remotejobs.cli.backups import as_object, listed, say_backups, shell_on
from remotejobs.cli.fan_out import started
from remotejobs.cli.show import follow, gather, jobs_run_on, say, say_summary, view_of, warn_of_errors
from remotejobs.cli.target import Target
from remotejobs.display.paint import Paint
from remotejobs.display.table import table
from remotejobs.errors import JobNotFound, UsageError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet, HostResult
from remotejobs.jobs.naming import new_jid
from remotejobs.model import Job
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.copies.bring import brought
from remotejobs.operations.backup.copies.fetch import fetchable
from remotejobs.operations.backup.copies.identity import identity_needed
from remotejobs.operations.backup.restore import PlannedRestore, Restore, choose, started_by, target_on, where_of
from remotejobs.operations.backup.verify import Verify, verify_job
from remotejobs.operations.transfer.here import here
from remotejobs.text import duration, number_of

HEADS = ("host", "backup", "age", "size", "state", "target", "msg")


M = TypeVar("M", bound=BaseModel)

_OPTIONS = {"user": "username"}  # as psql calls it: --user is the login user


def asked_for(model: type[M], args: Namespace) -> M:
    """What the command line asks for; `UsageError` where it makes no sense."""
    options = {name: getattr(args, _OPTIONS.get(name, name), None) for name in model.model_fields}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = "".join(f"{each}: " for each in first["loc"])
        raise UsageError(f"{where}{first['msg']}", remedy="The command's --help shows all.") from exc


def verify(args: Namespace) -> int:
    hosts, jid = Target.of(args), args.jid or new_jid()
    wanted = asked_for(Verify, args)
    job = verify_job(wanted, jid=jid)
    with hosts.fleet() as fleet:
        if args.dry_run:
            return _say_what_would_be_read(fleet, wanted, as_json=args.json)
        return _run(fleet, hosts, job.label, lambda _host: job, jid, args)


def _say_what_would_be_read(fleet: Fleet, wanted: Verify, *, as_json: bool) -> int:
    found = gather(fleet, lambda jobs: listed(fleet, jobs, wanted.directory, wanted.item))
    say_backups(found, as_json=as_json)
    if not as_json:
        backups = sum(len(result.value or ()) for result in found)
        say(f"{number_of(backups, 'backup')} would be read. Nothing was started.")
    return exit_codes.of_errors(found)


def restore(args: Namespace) -> int:
    wanted, hosts, jid = asked_for(Restore, args), Target.of(args), args.jid or new_jid()
    identity = _identity(args.identity)
    fleet, every = hosts.fleets(wanted.copy_on)
    with fleet, every:
        plans = gather(fleet, lambda jobs: _plan(every, jobs, wanted, jid, identity))
        _say_plans(plans, wanted, as_json=args.json)
        if any(plan.error for plan in plans):
            return exit_codes.of_errors(plans)
        if args.dry_run:
            if not args.json:
                say("Nothing was changed.")
            return exit_codes.OK
        if not args.replace and (there := [plan.host for plan in plans if plan.value and plan.value.replaces]):
            raise UsageError(
                f"{wanted.target} exists on {', '.join(there)}",
                remedy="Restore to another name, or say --replace: what is there is kept under another name.",
            )
        by_host = {plan.host: plan.value for plan in plans if plan.value}

        def job(host: str) -> Job:
            plan = by_host[host]
            if plan.entry and wanted.from_copy:
                came = brought(every, plan.entry, host, wanted, jid=jid, identity=identity)
                plan = replace(plan, entry=came, brought=True)
            return plan.job(wanted, jid=jid, replace=args.replace)

        if wanted.from_copy and any(plan.entry for plan in by_host.values()) and not args.json:
            say(
                f"The copies are brought first, by jobs whose jids end in {jid} (remotejobs list); --jid {jid} goes on."
            )
        return _run(fleet, hosts, f"restore {wanted.item} to {wanted.target}", job, jid, args)


def _identity(path: str) -> str:
    """What opens an encrypted copy. `UsageError` where the file cannot be read."""
    if not path:
        return ""
    with here(Path(path)):
        return Path(path).read_text("utf-8")


def _plan(fleet: Fleet, jobs: HostJobs, wanted: Restore, jid: str, identity: str) -> PlannedRestore:
    try:
        return PlannedRestore(host=jobs.host, command=started_by(wanted, jobs.host, jid, jobs.record(jid).cmd))
    except JobNotFound:
        shell = shell_on(fleet, jobs.host)
        if wanted.fetch:
            entry = fetchable(fleet, jobs.host, wanted, identity=identity)
        else:
            source = shell_on(fleet, wanted.copy_on or jobs.host)
            entry = choose(source.host, backups_on(source, where_of(wanted, jobs.host)), wanted)
            identity_needed(entry, identity)
        return PlannedRestore(host=jobs.host, entry=entry, target=target_on(shell, wanted, entry.kind))


def _say_plans(plans: Sequence[HostResult[PlannedRestore]], wanted: Restore, *, as_json: bool) -> None:
    if as_json:
        for plan in plans:
            if plan.value and plan.value.entry:
                backup = as_object(plan.value.entry)
                say(json.dumps({"host": plan.host, "target": wanted.target, "exists": plan.value.replaces} | backup))
            elif plan.error:
                say(json.dumps({"host": plan.host, "error": str(plan.error)}))
        return
    rows = [_row(plan.host, plan.value, wanted) for plan in plans if plan.value]
    if rows:
        for line in table(HEADS, rows, Paint.for_stream(sys.stdout)):
            say(line)
    warn_of_errors(plans)


def _row(host: str, plan: PlannedRestore, wanted: Restore) -> tuple[str, ...]:
    entry = plan.entry
    if entry is None:
        return (host, "", "", "", "", wanted.target, "started already; attaching")
    what = "exists; it is kept under another name" if plan.replaces else "is new"
    sessions = f", {plan.target.sessions} sessions" if plan.target and plan.target.sessions else ""
    age = duration(max(0, entry.age))
    return (host, entry.file, age, entry.size, entry.state, wanted.target, f"{what}{sessions}")


def _run(fleet: Fleet, hosts: Target, label: str, job: Callable[[str], Job], jid: str, args: Namespace) -> int:
    if not args.json:
        say(f"{jid}: {label}")
    view = view_of(fleet, hosts, jid, json=args.json, verbose=args.verbose)
    with jobs_run_on(hosts, jid):
        results = follow(fleet, view, started(fleet, jid, job, args.poll, view.first_poll))
    if not args.json:
        say_summary(results)
        if args.poll == 0:
            say(f"Find it again with:\n{hosts.commands(jid)}")
    return exit_codes.of_jobs(results)
