"""A job in Prefect's own words for one: a block that is triggered, and a run that is waited for.

run = RemoteJob(access=access, host="db1", command="vacuumdb --all", label="vacuum").trigger()
run.wait_for_completion()
record = run.fetch_result()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from prefect import task
from prefect.blocks.abstract import JobBlock, JobRun
from prefect.utilities.asyncutils import run_sync_in_worker_thread
from pydantic import Field, HttpUrl, field_validator

from remotejobs.model import Handle, Job, Record
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.blocks.inventory import Strict, logo
from remotejobs.prefect.tasks.flow import Command, Label
from remotejobs.prefect.tasks.jobs.job import fetch_log, poll_once, poll_until, polling, start_job
from remotejobs.prefect.tasks.jobs.options import JobOptions
from remotejobs.prefect.tasks.jobs.until import FOR_AN_HOUR, Until
from remotejobs.workarounds.prefect.dispatch import or_awaited


@dataclass(frozen=True)
class RemoteJobRun(JobRun[Record]):
    """A job that was triggered. It can be kept and passed on: where its host is, and its jid, are all that it holds."""

    handle: Handle
    access: Access
    until: Until

    @property
    def jid(self) -> str:
        return self.handle.jid

    async def await_for_completion(self) -> None:
        """Like `wait_for_completion`, in a coroutine."""
        until = self.until

        @task(task_run_name="poll {handle.label} on {handle.host}", **polling(until, until.delay - until.wait))
        async def poll_job(handle: Handle, access: Access) -> None:
            """Poll the job once, in a thread, which waits on the host meanwhile."""
            await run_sync_in_worker_thread(poll_once, handle, access, until)

        await poll_job(self.handle, self.access)

    @or_awaited(await_for_completion)
    def wait_for_completion(self) -> None:  # type: ignore[override] # in Prefect's blocks too it is called or awaited
        """Poll the job, as `until` says, until it has succeeded; an unreachable host is asked again.

        Raises `JobFailed` when it ended otherwise, and `RetriesExhausted` at the last poll, which says whether the job
        was left running or killed.
        """
        poll_until(self.until)(self.handle, self.access)

    async def afetch_result(self) -> Record:
        """Like `fetch_result`, in a coroutine."""
        return await run_sync_in_worker_thread(fetch_log, self.handle, self.access)

    @or_awaited(afetch_result)
    def fetch_result(self) -> Record:  # type: ignore[override]
        """What its host says of the job, however it ended or while it runs, with up to 1 MiB of stdout and of stderr.

        Raises `HostError`.
        """
        return fetch_log(self.handle, self.access)


class RemoteJob(JobBlock[Record], Strict):
    """A command that runs detached on a host: it is triggered, polled, and its result fetched.

    Example:
        ```python
        from remotejobs.prefect import RemoteJob, remote_flow

        @remote_flow("vacuum")
        def vacuum() -> None:
            run = RemoteJob.load("BLOCK_NAME").trigger()
            run.wait_for_completion()
            print(run.fetch_result().stdout.decode())
        ```
    """

    _block_type_name: ClassVar[str | None] = "Remote Job"
    _logo_url: ClassVar[HttpUrl | None] = logo("process")

    access: Access = Field(description="Where the hosts are written down, and which user to become there.")
    host: str = Field(min_length=1, description="The host that it runs on, as the inventory calls it.")
    command: Command
    label: Label
    job: JobOptions = Field(default=JobOptions(), description="Limits, directory, environment, locks and launcher.")
    until: Until = Field(default=FOR_AN_HOUR, description="How often and how long it is polled.")

    @field_validator("until")
    @classmethod
    def _waits(cls, until: Until) -> Until:
        if not until.delay:
            raise ValueError("a delay of 0 would wait for nothing: to leave the job running, only trigger it")
        return until

    def _named(self, item: str) -> Job:
        return self.job.job(self.command, label=self.label, item=item)

    def _run(self, handle: Handle) -> RemoteJobRun:
        return RemoteJobRun(handle, self.access, self.until)

    async def atrigger(self, item: str = "") -> RemoteJobRun:
        """Like `trigger`, in a coroutine."""
        return self._run(await run_sync_in_worker_thread(start_job, self._named(item), self.host, self.access))

    @or_awaited(atrigger)
    def trigger(self, item: str = "") -> RemoteJobRun:  # type: ignore[override]
        """Start the job and return at once. Within one flow run it starts once, however often that is tried again.

        Its jid is made of the flow run's id, `label` and `item`, which distinguishes several of one block: another call
        with the same ones attaches to the job that is there. Raises `HostError` and `InvalidJob`.
        """
        return self._run(start_job(self._named(item), self.host, self.access))
