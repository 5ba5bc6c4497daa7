"""Run one shell command on many hosts, as long as it takes: the smallest flow that uses everything."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from remotejobs.model import Job, Launcher
from tasks.access import Access
from tasks.cancel import OnCancel, kill_jobs
from tasks.connections import host_names
from tasks.dry_run import would_run
from tasks.ends import End, raise_for
from tasks.fence import end_when_unwanted
from tasks.host_group import Step
from tasks.jids import jid_for
from tasks.limits import share_of_forks
from tasks.look_after import look_after
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.planned import commands_of
from tasks.reports import Row, row_of
from tasks.run_names import of_command
from tasks.shard_reports import publish_ends
from tasks.shard_stop import may_begin
from tasks.sharding import ends_in_shards
from tasks.shards import IN_ONE_RUN, WHOLE, Part, Shards
from tasks.until import FOR_AN_HOUR, Until

NO_ENV: dict[str, str] = {}
NO_LOCKS: list[str] = []


@flow(
    name="run-command",
    flow_run_name=of_command,
    on_running=[end_when_unwanted],
    on_failure=[tell_webhook, tell_block],
    on_crashed=[tell_webhook, tell_block],
    on_cancellation=[kill_jobs],
)
def run_command(
    access: Access,
    hosts: Annotated[str, Field(min_length=1)],
    command: Annotated[str, Field(min_length=1)],
    label: Annotated[str, Field(min_length=1)] = "command",
    limit: Annotated[int, Field(ge=0)] = 0,
    stall: Annotated[int, Field(ge=0)] = 0,
    chdir: Annotated[str, Field(pattern="^(/.*)?$")] = "",
    env: dict[str, str] = NO_ENV,
    locks: list[str] = NO_LOCKS,
    slots: Annotated[int, Field(ge=0)] = 0,
    pool: str = "",
    queue_limit: Annotated[int, Field(ge=0)] = 0,
    launcher: Launcher = "auto",
    until: Until = FOR_AN_HOUR,
    group: Annotated[int, Field(ge=0)] = 0,
    on_cancel: OnCancel = "kill",  # noqa: ARG001 - the hook reads it
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
    dry_run: bool = False,
    shards: Shards = IN_ONE_RUN,
    part: Part = WHOLE,
) -> list[End]:
    """Run one shell command on every host of a pattern; fail at the end, naming the hosts where it failed.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        hosts: Hosts to run it on, as a pattern: all, web*, databases, web:!web3.
        command: Shell command, of one or more lines. It runs detached: no lost connection ends it.
        label: What it is called in names of task runs, tables and messages.
        limit: Seconds after which each host ends it with all its processes; 0 for no limit.
        stall: Seconds without new output after which each host ends it likewise; 0 for no such limit.
        chdir: Directory to run it in, from / on; empty for the user's home.
        env: Added to its environment. Nothing secret: parameters are shown in the UI.
        locks: Locks that it waits for on each host, for example apt: one job that names it runs there at a time.
        slots: So many jobs of its pool run on a host at once, and it waits for its turn; 0 for no such wait.
        pool: Which jobs count for the slots: those that name the same pool; empty for those that name none.
        queue_limit: Seconds it may wait for locks and slots; then it ends, never started. 0: as long as it takes.
        launcher: In a unit of systemd, among the processes of the login (plain), or whichever outlives the logout.
        until: How often to look after it; with a delay of 0 it is started and left running.
        group: Hosts that share one task run; 1 for one each, 0 for one each up to 50 hosts and about 100 above.
        on_cancel: What becomes of its jobs when the run is cancelled: kill them, with proof, or leave them running.
        notify: Whom to tell when the run failed.
        dry_run: Show what would run where, and run nothing.
        shards: Whether other workers do it, each on a share of the hosts.
        part: Filled in for the runs of those workers.
    """
    job = Job(
        jid=jid_for(label, run=part.of),
        cmd=command,
        label=label,
        limit=limit or None,
        stall=stall or None,
        chdir=chdir,
        env=env,
        locks=tuple(locks),
        slots=slots or None,
        pool=pool,
        queue_limit=queue_limit or None,
        launcher=launcher,
    )
    names = part.among(host_names(access, hosts))
    if dry_run:
        return would_run(commands_of(label, command, names, limit), access)
    steps = [Step(job, host, until) for host in names]
    if shards.wanted:
        told = ends_in_shards(steps, access, shards, _told)
    else:
        with share_of_forks(access):
            may_begin(part)
            told = [_told(end) for end in look_after(steps, access, group=group, shards=part.total or 1)]
    publish_ends("run-command", f"`{command}` on {hosts}", told, part)
    ends = [end for end, _ in told]
    raise_for(ends)
    return ends


def _told(end: End) -> tuple[End, Row]:
    return end, row_of(end)
