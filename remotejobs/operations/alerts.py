"""What needs a person's attention: lost jobs, jobs that take too long, and hosts that could not be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from remotejobs.errors import RemoteJobsError
from remotejobs.jobs.summary import in_order, name_of
from remotejobs.model import Record, State
from remotejobs.operations.service import is_service
from remotejobs.text import duration, one_line

_HOUR = 3600.0  # seconds


class Overdue(BaseModel):
    """When a job that runs has run too long. A service never does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hours: float = Field(default=24, ge=0, description="Hours that a job may run; 0: as long as it likes.")
    labels: dict[str, float] = Field(
        default={}, description="Hours for the jobs of a label, with * and ?: nightly*: 3. The first that fits counts."
    )

    def has(self, record: Record) -> bool:
        """Whether the job runs and is overdue."""
        if record.finished or is_service(record.jid):
            return False
        hours = next((hours for like, hours in self.labels.items() if fnmatchcase(record.label, like)), self.hours)
        return hours > 0 and (record.delta or 0.0) > hours * _HOUR


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that needs a person's attention. `jid` is empty for a host that could not be asked."""

    what: Literal["lost", "overdue", "not asked"]
    host: str
    jid: str
    said: str


def alerts(records: Iterable[Record], unreachable: Mapping[str, RemoteJobsError], overdue: Overdue) -> list[Alert]:
    """The hosts that could not be asked, the lost and the overdue.

    Not what was never run, for its caller knows, unless it was lost while it was queued: it has a label then.
    """
    found = [Alert("not asked", host, "", one_line(error.message)) for host, error in unreachable.items()]
    for record in in_order(records):
        if record.state is State.LOST and (record.cause != "never" or record.label):
            found.append(Alert("lost", record.host, record.jid, f"{name_of(record)}: {one_line(record.msg)}"))
        elif overdue.has(record):
            said = f"{name_of(record)}: {record.state} for {duration(record.delta)}"
            found.append(Alert("overdue", record.host, record.jid, said))
    return found
