"""How the change of one host can end badly. Each can be pickled, as Prefect may do with a task's result."""

from __future__ import annotations

from remotejobs.errors import HostRefused, RemoteJobsError
from remotejobs.operations.rolling import HostReport


class _OfHost(HostRefused):
    """Base of errors that are made of a host and a message alone."""

    def __init__(self, host: str, message: str) -> None:
        self._said = message
        super().__init__(host, message)

    def __reduce__(self) -> tuple[type[_OfHost], tuple[str, str]]:
        return type(self), (self.host, self._said)


class BelowFloor(_OfHost):
    """Mend the other hosts first, or lower `floor`."""


class NotSeenUp(_OfHost):
    """Compare the load balancer's own check with the health of the plan."""


class TakenOver(_OfHost):
    """It is left as it is: put it in by hand once whatever it was taken out for is over."""


class NoSpare(_OfHost):
    """Take it out of the load balancer first, or do not name it in `spare`."""


class FoundOut(_OfHost):
    """Put it in first, or let found_out leave it or update it. If an earlier update left it so, repair that one."""


class LostContact(_OfHost):
    """The deployment may still run, so the host is not put back. Resume the update when it can be reached."""


class SoakFailed(_OfHost):
    """Read the application's log on that host."""


class HostNotChanged(RemoteJobsError):
    """A host was not updated, or not reverted: `report` says how far it came, and whether it stays out."""

    def __init__(self, report: HostReport) -> None:
        self.report = report
        super().__init__(f"{report.host}: {report.said}", remedy="")

    def __reduce__(self) -> tuple[type[HostNotChanged], tuple[HostReport]]:
        return type(self), (self.report,)
