"""What may be said of a job beside its command: what flows that run a command take as their parameter `job`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from remotejobs.model import Job, Launcher
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.renamed import allow_old_names, renamed_fields
from remotejobs.worded import ABSOLUTE_PATH_OR_EMPTY


class JobOptions(BaseModel):
    """Timeouts, directory, environment, locks and launcher of a job."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=allow_old_names)
    _old_names: ClassVar[object] = renamed_fields(limit="timeout", stall="idle_timeout", queue_limit="queue_timeout")

    timeout: int = Field(
        default=0, ge=0, description="Seconds after which its host ends it with all its processes; 0 for never."
    )
    idle_timeout: int = Field(
        default=0,
        ge=0,
        description="Seconds without new output after which its host ends it likewise; 0 for never.",
    )
    chdir: Annotated[str, ABSOLUTE_PATH_OR_EMPTY] = Field(
        default="", description="Directory to run it in, an absolute path; empty for the user's home."
    )
    env: dict[str, str] = Field(
        default_factory=dict,
        description="Added to its environment. Nothing secret: parameters are shown in the UI.",
    )
    locks: tuple[str, ...] = Field(
        default=(),
        description="Locks that it waits for on its host, for example apt: one job that names it runs there at a time.",
    )
    slots: int = Field(
        default=0,
        ge=0,
        description="So many jobs of its pool run on a host at once, and it waits for its turn; 0 for no such wait.",
    )
    pool: str = Field(
        default="",
        description="Which jobs count for the slots: those that name the same pool; empty for those that name none.",
    )
    queue_timeout: int = Field(
        default=0,
        ge=0,
        description="Seconds it may wait for locks and slots; then it ends, never started. 0: as long as it takes.",
    )
    launcher: Launcher = Field(
        default="auto",
        description="In a unit of systemd, among the processes of the login (plain), or whichever outlives the logout.",
    )

    def job(self, command: str, *, label: str, item: str = "") -> Job:
        """The job of the flow run under way that runs `command`; `label` and `item` make it differ from others.

        Its jid is that of `jid_for(label, item)`: a run that is retried or resumed finds it again. Raises `InvalidJob`.
        """
        return Job(
            jid=jid_for(label, item),
            cmd=command,
            label=label,
            timeout=self.timeout or None,
            idle_timeout=self.idle_timeout or None,
            chdir=self.chdir,
            env=self.env,
            locks=self.locks,
            slots=self.slots or None,
            pool=self.pool,
            queue_timeout=self.queue_timeout or None,
            launcher=self.launcher,
        )
