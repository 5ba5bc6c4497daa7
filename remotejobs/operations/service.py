"""A service without an init system: a job that is meant to go on, found by its name, checked, and stopped with proof.

What others do with nohup, `&` and a pid file. `service.sh` checks it from within.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from remotejobs.agent.shell import Shell, call, text_of
from remotejobs.inventory.variables import HostLike
from remotejobs.model import LONGEST_GRACE, Job, Record
from remotejobs.operations.placeholders import filled
from remotejobs.operations.web import fetch
from remotejobs.worded import ABSOLUTE_PATH_OR_EMPTY, URL_OR_EMPTY, Worded

_SERVICE = re.compile(r"service\.[A-Za-z0-9_-]+\.\d+")
_NAME = Worded("[A-Za-z0-9][A-Za-z0-9_-]{0,39}", "a name of up to 40 letters, digits, - and _, letter or digit first")
_DIGITS = re.compile(r"\d{3}")


class Service(BaseModel):
    """What to run in the background, and when it counts as up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, _NAME] = Field(description="What it is found by; one of each name runs on a host.")
    command: str = Field(min_length=1, description="Shell command that stays in the foreground: exec /opt/app/server.")
    chdir: Annotated[str, ABSOLUTE_PATH_OR_EMPTY] = Field(
        default="", description="Directory to run it in, an absolute path; empty: the user's home."
    )
    env: dict[str, str] = Field(default={}, description="Added to its environment.")
    grace: int = Field(
        default=10, ge=0, le=LONGEST_GRACE, description="Seconds from TERM to KILL when it is to be stopped."
    )
    port: int = Field(default=0, ge=0, le=65535, description="TCP port that it must listen on; 0: none.")
    health: Annotated[str, URL_OR_EMPTY] = Field(
        default="",
        description="URL that must answer; {host} is the host's name, {any_variable} its inventory variable. "
        "Empty: none.",
    )
    status: int = Field(default=200, ge=100, le=599, description="HTTP status of a healthy answer.")
    ask_from: Literal["controller", "host"] = Field(
        default="controller", description="Where the URL is asked from; host: by curl or wget over there."
    )
    timeout: int = Field(default=5, ge=1, description="Seconds for an answer.")

    def job(self, jid: str) -> Job:
        """It has no timeout: it is to go on."""
        return Job(jid=jid, cmd=self.command, label=self.name, chdir=self.chdir, env=self.env, grace=self.grace)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """Whether a service is up; `why` says in words why it is not."""

    why: str = ""

    @property
    def up(self) -> bool:
        return not self.why


def latest(name: str, records: Iterable[Record]) -> Record | None:
    """The service's newest job among those of a host."""
    own = [record for record in records if _number(name, record.jid)]
    return max(own, key=lambda record: _number(name, record.jid), default=None)


def jid_to_start(name: str, records: Iterable[Record]) -> str:
    """The jid of the job that runs, or else of the next: two callers at once name the same, and it runs once."""
    newest = latest(name, records)
    if newest is None:
        return f"service.{name}.1"
    return newest.jid if goes_on(newest) else f"service.{name}.{_number(name, newest.jid) + 1}"


def is_service(jid: str) -> bool:
    """Whether the job under this jid is a service's, and so meant to go on."""
    return bool(_SERVICE.fullmatch(jid))


def goes_on(record: Record) -> bool:
    """Whether the service's processes live, with or without a supervisor."""
    return not record.finished or record.still_runs


def check_service_once(service: Service, host: HostLike, shell: Shell) -> ServiceStatus:
    """Ask for the port, and for the URL, once. Raises `HostError`."""
    url = filled(service.health, host)
    there = url if service.ask_from == "host" else ""
    words = ("sv_check", str(service.port), there, str(service.timeout))
    said = call(shell, (text_of("remotejobs.operations", "service.sh"),), words) if service.port or there else {}
    if service.port and said.get("listens") != "yes":
        return ServiceStatus(f"nothing listens on port {service.port}")
    if there:
        return _judged(service, said.get("status", "").strip(), "")
    if url:
        answer = fetch(url, timeout=service.timeout)
        return _judged(service, str(answer.status), answer.error)
    return ServiceStatus()


def _judged(service: Service, status: str, error: str) -> ServiceStatus:
    if error or not _DIGITS.fullmatch(status) or status == "000":
        return ServiceStatus(f"no answer: {error or status}")
    return (
        ServiceStatus() if int(status) == service.status else ServiceStatus(f"status {status}, wanted {service.status}")
    )


def _number(name: str, jid: str) -> int:
    match = re.fullmatch(rf"service\.{re.escape(name)}\.(\d+)", jid)
    return int(match[1]) if match else 0
