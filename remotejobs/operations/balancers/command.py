"""Any load balancer that two commands can talk to. They run as jobs on a delegate host, so they have a time limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from uuid import uuid4

from pydantic import ConfigDict, Field

from remotejobs.errors import HostRefused
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.command_text import Command
from remotejobs.jobs.wait import retry_while_unreachable, start_and_wait, wait_until_ended
from remotejobs.model import Job, State
from remotejobs.operations.balancers.balancer import BalancerSettings, BalancerStatus, LoadBalancer, Reach
from remotejobs.operations.balancers.pool import Pool
from remotejobs.operations.balancers.standing import Standing
from remotejobs.operations.placeholders import filled
from remotejobs.renamed import allow_old_names, renamed_fields

CONTACT_TIMEOUT = 60.0  # seconds that the delegate may be unreachable


class CommandBalancer(BalancerSettings):
    """Two commands; in their environment HOST is the host's name, and ADDRESS what the address means for it.

    They do not report how many connections are left, so the whole drain time is waited.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=allow_old_names)
    _old_names: ClassVar[object] = renamed_fields(limit="timeout")

    host: str = Field(default="localhost", min_length=1, description="Host of the inventory where the commands run.")
    remove: Command = Field(default="", description='Command that takes a host out: /opt/lb/remove "$HOST"')
    add: Command = Field(default="", description='Command that puts it back: /opt/lb/add "$HOST"')
    address: str = Field(default="{host}", description="What ADDRESS is: {ansible_host}:{app_port}")
    timeout: int = Field(default=60, ge=1, description="Seconds after which a command is ended; it then failed.")

    @classmethod
    def required(cls) -> tuple[str, ...]:
        return "remove", "add"

    def open(self, reach: Reach) -> LoadBalancer:
        return _Commands(self, reach.jobs(self.host))


class _Commands:
    def __init__(self, settings: CommandBalancer, jobs: HostJobs) -> None:
        self._settings = settings
        self._jobs = jobs

    def check(self) -> None:
        """Whether the delegate can be asked."""
        self._jobs.list()

    def take_out(self, host: HostLike) -> None:
        self._run("remove", self._settings.remove, host)

    def put_back(self, host: HostLike, found: Standing | None = None) -> None:  # noqa: ARG002 - it cannot be asked
        self._run("add", self._settings.add, host)

    def pools(self, host: HostLike, known: Sequence[HostLike]) -> tuple[Pool, ...] | None:  # noqa: ARG002
        return None

    def status(self, host: HostLike) -> BalancerStatus:
        filled(self._settings.address, host)  # a missing variable is reported before anything is touched
        return BalancerStatus()

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
