"""How often and how long to poll a job: Ansible's `retries` and `delay`, which are Prefect's retries."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_LAST_WAIT = 5  # seconds: after the last attempt nothing is asked any more

OnExhausted = Literal["leave", "kill"]


class Until(BaseModel):
    """Poll the job until it has ended, at most `retries` times after the first poll."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    retries: int = Field(default=240, ge=0, description="How often to poll again after the first time.")
    delay: float = Field(default=15, ge=0, description="Seconds between two polls; 0: start it and do not wait for it.")
    on_exhausted: OnExhausted = Field(
        default="leave", description="What becomes of a job that still runs then: leave it running, or kill it."
    )

    @property
    def wait(self) -> int:
        """Whole seconds of the delay for which a poll waits on the host: an end within them is known at once."""
        return math.floor(self.delay)

    @property
    def last_wait(self) -> int:
        """The same of the last attempt, which is followed by no pause."""
        return min(self.wait, _LAST_WAIT)

    @classmethod
    def outlasting(cls, seconds: float, *, delay: float) -> Until:
        """Poll for longer than a job can take that its host ends after `seconds`; `delay` is above 0."""
        return cls(retries=math.ceil(seconds / delay) + 1, delay=delay)


FOR_AN_HOUR = Until()
