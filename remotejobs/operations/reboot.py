"""Reboot a host and reconnect: proven by a boot id that changed. What ran there is reported as lost.

`reboot.sh` helps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from remotejobs.agent.shell import Shell, call, text_of
from remotejobs.connections.base import Become, Connection
from remotejobs.connections.connect import open_connection
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import (
    HostError,
    HostKeyChanged,
    HostKeyUnknown,
    HostRefused,
    ProtocolError,
    Unreachable,
    UsageError,
)
from remotejobs.inventory.override import Overridden
from remotejobs.inventory.variables import HostLike, text
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State

LOOK_EVERY = 1.0  # seconds
_HOPELESS = (HostKeyChanged, HostKeyUnknown)  # no later attempt would end otherwise


class RebootRefused(HostRefused):
    """Rebooting needs root: set ansible_become, or let the command begin with sudo -n."""


class NotBack(HostError):
    """Check the host's console; ask again with `remotejobs run HOST -- uptime` once it can be reached."""


class Reboot(BaseModel):
    """How to reboot a host, and how long to wait for it. The values are Ansible's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str = Field(default="shutdown -r now", min_length=1, description="Command that reboots the host, as root.")
    pre_delay: float = Field(default=0, ge=0, description="Seconds to wait before the command is given.")
    post_delay: float = Field(default=0, ge=0, description="Seconds to wait after the reboot, before the test command.")
    timeout: float = Field(
        default=600, gt=0, description="Seconds for the host to come back, and as many for the test command to succeed."
    )
    connect_timeout: int = Field(default=5, ge=1, description="Seconds for a single try to connect.")
    test_command: str = Field(default="whoami", description="What must succeed before the host counts as back.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebooted:
    """A reboot that is proven: the boot ids `before` and `after` differ. `seconds` from the command to the test's end.

    `lost` are the jobs that it ended, as the host reports them now; `test_output` is what the test said.
    """

    host: str
    before: str
    after: str
    seconds: float
    test_output: str = ""
    lost: tuple[Record, ...] = ()


def reboot(
    host: HostLike, wanted: Reboot, *, become: Become | None = None, on_news: Callable[[str], None] = lambda _news: None
) -> Rebooted:
    """Reboot `host` and wait until it is back; `on_news` hears how it goes.

    Raises `RebootRefused` when the command failed, `NotBack` when the time was up, and `HostError` of the first
    attempt.
    """
    hurry = {"ansible_timeout": wanted.connect_timeout, "ansible_ssh_timeout": None}
    variables = Overridden(host.variables, hurry, "the reboot")
    # A connection of its own: it waits for no other retries.
    with closing(open_connection(_Hurried(host.name, variables), retry_for=0)) as connection:
        if isinstance(connection, LocalConnection):
            raise UsageError(
                f"{host.name} is this machine", remedy="Reboot it by hand: nothing could wait for it here."
            )
        # Root's jobs, and those of the user who logs in.
        owners = [HostJobs(connection, become=user, directory=text(host, "remotejobs_dir")) for user in {become, None}]
        return _Rebooting(connection, become, wanted, on_news).run(owners)


@dataclass(frozen=True, slots=True)
class _Hurried:
    """The same host, with another time-out."""

    name: str
    variables: Mapping[str, Any]


class _Rebooting:
    def __init__(
        self, connection: Connection, become: Become | None, wanted: Reboot, on_news: Callable[[str], None]
    ) -> None:
        self._host = connection.host
        self._connection = connection
        self._shell = Shell(connection, become=become)
        self._wanted = wanted
        self._say = on_news

    def run(self, owners: list[HostJobs]) -> Rebooted:
        before = self._boot()
        time.sleep(self._wanted.pre_delay)
        running = [(jobs, record) for jobs in owners for record in jobs.list() if not record.finished]
        if running:
            self._say("these jobs end with it: " + ", ".join(record.label or record.jid for _, record in running))
        began = time.monotonic()
        self._command(before)
        after = self._await(lambda: self._boot_after(before))
        self._say(f"booted {time.monotonic() - began:.0f} s after the command; boot id {before} is now {after}")
        time.sleep(self._wanted.post_delay)
        said = self._await(self._tested)
        seconds = time.monotonic() - began
        ended = [jobs.record(record.jid) for jobs, record in running]
        lost = tuple(record for record in ended if _is_lost(record))
        return Rebooted(host=self._host, before=before, after=after, seconds=seconds, test_output=said, lost=lost)

    def _ask(self, *words: str) -> dict[str, str]:
        return call(self._shell, (text_of("remotejobs.operations", "reboot.sh"),), words)

    def _boot(self) -> str:
        if not (boot := self._ask("rb_check").get("boot", "")):
            raise ProtocolError(self._host, "the answer names no boot id")
        return boot

    def _command(self, before: str) -> None:
        """No answer is as good as one: the host may have gone at once."""
        try:
            said = self._ask("rb_reboot", before, self._wanted.command).get("error", "")
        except Unreachable as exc:
            self._say(f"gone before it could answer: {exc.message}")
            return
        finally:
            self._connection.close()
        if said:
            code, _, words = said.partition(" ")
            raise RebootRefused(self._host, f"{self._wanted.command!r} failed with {code}: {words.strip()}")

    def _boot_after(self, before: str) -> str:
        if (boot := self._boot()) == before:
            raise _NotYet("it was not rebooted: its boot id is the same")
        return boot

    def _tested(self) -> str:
        said = self._shell.run(self._wanted.test_command)
        if said.rc:
            raise _NotYet(f"{self._wanted.test_command!r} fails with {said.rc}: {said.output.strip()}")
        return said.output.strip()

    def _await(self, attempt: Callable[[], str]) -> str:
        """`attempt` over a new connection each time until it succeeds.

        While a host boots, it refuses for many reasons.
        """
        deadline = time.monotonic() + self._wanted.timeout
        while True:
            try:
                return attempt()
            except _HOPELESS:
                raise
            except (HostError, _NotYet) as exc:
                self._connection.close()
                if time.monotonic() > deadline:
                    why = exc.message if isinstance(exc, HostError) else str(exc)
                    raise NotBack(self._host, f"not back after {self._wanted.timeout:g} s: {why}") from exc
            time.sleep(LOOK_EVERY)


def _is_lost(record: Record) -> bool:
    """Whether the reboot ended it, and not the job itself just before; a host that goes down sends TERM first."""
    return record.state is State.LOST or (record.state is State.FAILED and record.signal is not None)


class _NotYet(Exception):
    """The host answered, but not as wanted."""
