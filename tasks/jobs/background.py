"""Commands in the background of a flow: started now, awaited when the flow wants to know.

dump = in_background("pg_dump -Fc shop > /backup/shop.dump", "db1", access, label="dump", timeout=3600)
...                      # other work meanwhile
end = dump.result()      # waits; whatever came of it is returned, not raised
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefect.futures import PrefectFuture

from remotejobs.model import Handle, Job, Launcher, Record
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.job import poll_until, start_job
from remotejobs.prefect.tasks.jobs.outcomes import FailedWhen
from remotejobs.prefect.tasks.jobs.results import JobResult, result_of
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.renamed import renamed_arguments, warn_renamed

_AN_HOUR = 3600
_SETTLING = 60  # seconds after timeout and grace: by then its host has said how it ended


@dataclass(frozen=True, slots=True)
class Background:
    """A job that was started and that a task run of its own polls, with a timeout and a poll interval of its own."""

    label: str
    host: str
    started: PrefectFuture[Handle]
    polled: PrefectFuture[Record]

    def result(self) -> JobResult:
        """Wait until the job has ended; if it did not succeed, the `JobResult` says why. Raises nothing.

        To ignore an error, read the `JobResult` or leave it; to fail the flow for it, pass it to `raise_for`.
        """
        return result_of(self.label, self.host, self.started, self.polled)

    def end(self) -> JobResult:
        """The old name of `result`."""
        warn_renamed("Background.end()", "result()")
        return self.result()


@renamed_arguments(limit="timeout", stall="idle_timeout", queue_limit="queue_timeout")
def in_background(
    command: str,
    host: str,
    access: Access,
    *,
    label: str,
    timeout: int | None = None,
    poll: float = 15,
    chdir: str = "",
    env: Mapping[str, str] | None = None,
    locks: Sequence[str] = (),
    slots: int | None = None,
    pool: str = "",
    queue_timeout: int | None = None,
    launcher: Launcher = "auto",
    failed_when: FailedWhen | None = None,
) -> Background:
    """Start a shell command detached on `host` and return at once; meanwhile it is polled every `poll` seconds.

    `label` distinguishes it from the other jobs of this flow run on this host. After `timeout` seconds its host ends it
    with all its processes; without a timeout it is polled for an hour and then left running. `locks`, `slots`, `pool`,
    `queue_timeout` and `launcher` are those of `Job`; if it may be queued, it is polled for `queue_timeout` seconds
    more, or another hour. `failed_when` judges a command that ended by itself, in place of its return code. Raises
    `InvalidJob`.
    """
    job = Job(
        jid=jid_for(label),
        cmd=command,
        label=label,
        timeout=timeout,
        chdir=chdir,
        env=env or {},
        locks=tuple(locks),
        slots=slots,
        pool=pool,
        queue_timeout=queue_timeout,
        launcher=launcher,
    )
    queued = (queue_timeout or _AN_HOUR) if locks or slots else 0
    until = Until.outlasting(queued + (timeout + job.grace + _SETTLING if timeout else _AN_HOUR), delay=poll)
    started = start_job.submit(job, host, access)
    return Background(label, host, started, poll_until(until, failed_when).submit(started, access))
