"""Any load balancer that commands can talk to, on a delegate host. Those that change it are jobs with a time limit."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import ClassVar
from uuid import uuid4

from pydantic import ConfigDict, Field

from remotejobs.agent.shell import Shell
from remotejobs.errors import HostRefused, ProtocolError
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.command_text import Command
from remotejobs.jobs.wait import retry_while_unreachable, start_and_wait, wait_until_ended
from remotejobs.model import Job, State
from remotejobs.operations.balancers.balancer import BalancerSettings, BalancerStatus, LoadBalancer, Reach
from remotejobs.operations.balancers.command_status import ReportedServer, reported
from remotejobs.operations.balancers.pool import Pool, PoolServer
from remotejobs.operations.balancers.standing import READY, Place, Standing
from remotejobs.operations.placeholders import filled
from remotejobs.renamed import allow_old_names, renamed_fields

CONTACT_TIMEOUT = 60.0  # seconds that the delegate may be unreachable


class CommandBalancer(BalancerSettings):
    """Commands; in their environment HOST is the host's name, and ADDRESS what the address means for it.

    Without `status`, or where that does not count connections, the whole drain time is waited.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=allow_old_names)
    _old_names: ClassVar[object] = renamed_fields(limit="timeout")

    host: str = Field(default="localhost", min_length=1, description="Host of the inventory where the commands run.")
    remove: Command = Field(default="", description='Command that takes a host out: /opt/lb/remove "$HOST"')
    add: Command = Field(default="", description='Command that puts it back: /opt/lb/add "$HOST"')
    status: Command = Field(
        default="",
        description="Command that prints a line for each server of the backend, NAME STATE CONNECTIONS, and then up, "
        "down or backup where that is so: web1 in 3. NAME is HOST or ADDRESS; any STATE but in gets no new requests; "
        "- for CONNECTIONS that are not known.",
    )
    address: str = Field(default="{host}", description="What ADDRESS is: {ansible_host}:{app_port}")
    timeout: int = Field(default=60, ge=1, description="Seconds after which a command is ended; it then failed.")

    @classmethod
    def required(cls) -> tuple[str, ...]:
        return "remove", "add"

    def open(self, reach: Reach) -> LoadBalancer:
        return _Commands(self, reach.jobs(self.host), reach.shell(self.host))


class _Commands:
    def __init__(self, settings: CommandBalancer, jobs: HostJobs, shell: Shell) -> None:
        self._settings = settings
        self._jobs = jobs
        self._shell = shell

    def check(self) -> None:
        """Whether the delegate can be asked."""
        self._jobs.list()

    def take_out(self, host: HostLike) -> None:
        self._run("remove", self._settings.remove, host)

    def put_in(self, host: HostLike) -> None:
        self._run("add", self._settings.add, host)

    def put_back(self, host: HostLike, found: Standing | None = None) -> None:
        if not (found and found.out):
            self.put_in(host)

    def pools(self, host: HostLike, known: Sequence[HostLike]) -> tuple[Pool, ...] | None:
        if not self._settings.status:
            return None
        named = {name: each.name for each in known for name in self._names(each)}
        there = self._reported(host)
        seen = {named.get(each.name) for each in there}
        # What was removed may be named no more, and is a server of the backend all the same.
        removed = [ReportedServer(name=each.name, state="not named") for each in known if each.name not in seen]
        others = [each for each in (*there, *removed) if each.name not in self._names(host)]
        servers = tuple(
            PoolServer(
                name=each.name,
                host=named.get(each.name, ""),
                share=0 if each.why else 1,
                backup=each.backup,
                why=each.why,
                out=not each.inside,
            )
            for each in others
        )
        return (Pool(name=f"the load balancer of {self._shell.host}", others=servers),)

    def status(self, host: HostLike) -> BalancerStatus:
        names = self._names(host)  # a missing variable is reported before anything is touched
        if not self._settings.status:
            return BalancerStatus()
        there = self._reported(host)
        if not (own := [each for each in there if each.name in names]):
            known = ", ".join(each.name for each in there) or "none"
            raise HostRefused(
                self._shell.host,
                f"the balancer's status command does not name {' or '.join(sorted(names))}",
                remedy=f"Let address mean one of those that it names, {known}, or let it print those that are out too.",
            )
        inside = [each.inside for each in own]
        counts = [each.connections for each in own]
        return BalancerStatus(
            inside=any(inside),
            partly=any(inside) and not all(inside),
            up=None if all(each.up is None for each in own) else all(each.up is not False for each in own),
            connections=None if None in counts else sum(filter(None, counts)),
            standing=Standing((Place("", READY if all(inside) else "out"),)),
        )

    def _names(self, host: HostLike) -> set[str]:
        return {host.name, filled(self._settings.address, host)}

    def _reported(self, host: HostLike) -> tuple[ReportedServer, ...]:
        env = {"HOST": host.name, "ADDRESS": filled(self._settings.address, host)}
        lines = [*(f"export {name}={shlex.quote(value)}" for name, value in env.items()), self._settings.status]
        said = self._shell.run("\n".join(lines), timeout=self._settings.timeout)
        if said.rc:
            raise HostRefused(
                self._shell.host,
                f"the balancer's status command ended with rc {said.rc}: {said.output.strip()[-200:]}",
                remedy="Run it by hand.",
            )
        try:
            return reported(said.output)
        except ValueError as exc:
            raise ProtocolError(self._shell.host, f"the balancer's status command printed {exc}") from exc

    def _run(self, verb: str, command: str, host: HostLike) -> None:
        self._let_end(host)
        # A jid of its own each time: an earlier removal says nothing of how the balancer is now.
        job = Job(
            jid=f"balancer-{verb}.{uuid4()}",
            cmd=command,
            label=_label(verb, host),
            timeout=self._settings.timeout,
            env={"HOST": host.name, "ADDRESS": filled(self._settings.address, host)},
        )
        record = start_and_wait(self._jobs, job, contact_timeout=CONTACT_TIMEOUT)
        if record.state is not State.SUCCEEDED:
            said = record.last_lines or record.msg or "it said nothing"
            raise HostRefused(
                self._jobs.host,
                f"the balancer's {verb} command for {host.name} ended as {record.state}, rc {record.rc}: {said}",
                remedy=f"Run it by hand; its job is {job.jid}.",
            )

    def _let_end(self, host: HostLike) -> None:
        """A command that a controller left behind must not have the last word: its timeout ends it."""
        labels = {_label(verb, host) for verb in ("remove", "add")}
        for record in retry_while_unreachable(self._jobs.list, contact_timeout=CONTACT_TIMEOUT):
            if record.label in labels and not record.finished:
                wait_until_ended(self._jobs, record.jid, news=False, contact_timeout=CONTACT_TIMEOUT)


def _label(verb: str, host: HostLike) -> str:
    return f"balancer {verb} {host.name}"
