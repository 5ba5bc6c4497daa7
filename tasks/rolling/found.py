"""How hosts stand in their load balancer before an update, for its dry run: asked, and nothing changed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from remotejobs.errors import RemoteJobsError
from remotejobs.operations.rolling import Update
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.rolling.managed_host import managed_host


@dataclass(frozen=True, slots=True)
class Found:
    """How one host stands, in words, and whether it gets no requests; where nobody can say, why."""

    words: str
    out: bool


def found_by(hosts: Sequence[str], access: Access, update: Update) -> dict[str, Found]:
    """Ask the balancer about each host; nothing where there is none. A balancer that cannot be asked is reported."""
    if update.balancer.kind == "none":
        return {}

    def one(host: str) -> Found:
        try:
            managed = managed_host(host, access, update)
            managed.balancer.check()
            standing = managed.balancer.status(managed.host).standing
        except RemoteJobsError as exc:
            return Found(f"not known: {exc.message}", out=False)
        return Found(standing.words, standing.out) if standing else Found("it does not say", out=False)

    with ThreadPoolExecutor(max_workers=access.forks) as pool:
        return dict(zip(hosts, pool.map(one, hosts), strict=True))
