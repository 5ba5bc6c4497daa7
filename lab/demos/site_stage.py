"""The site with a Prefect server, a worker and the deployments: all that a rolling update needs, on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.demos.ground import ignore_signals, lab_directory, signals_unwind
from lab.servers.prefect.api import PrefectApi
from lab.servers.prefect.server import PrefectServer
from lab.servers.web.site import LabSite

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SiteStage:
    """What runs while the stage is open."""

    directory: Path
    site: LabSite
    prefect: PrefectServer
    api: PrefectApi

    def parameters(self, version: str, **plan: Any) -> dict[str, object]:
        """The parameters of a rolling update of the site."""
        access = {"inventory": str(self.site.inventory)}
        return {"access": access, "hosts": "web", "update": self.site.update(version, **plan)}


@contextmanager
def open_site(
    directory: Path, say: Say, *, prefect: AbstractContextManager[PrefectServer] | None = None
) -> Iterator[SiteStage]:
    """Start everything in `directory`, and stop all of it at the end. `prefect` is by default the lab's usual one."""
    with ExitStack() as stack:
        prefect = stack.enter_context(prefect or PrefectServer(directory / "prefect"))
        site = stack.enter_context(LabSite(directory / "site"))
        say(f"  HAProxy     {site.haproxy.url}, before {', '.join(site.names)}")
        prefect.await_ready()
        say(f"  Prefect     {prefect.url}")
        api = stack.enter_context(PrefectApi(prefect.api_url))
        prefect.start_worker()
        prefect.deploy()
        say("  deployments " + ", ".join(sorted(deployment.name for deployment in api.deployments())))
        yield SiteStage(directory, site, prefect, api)


@contextmanager
def open_site_for_people(say: Say) -> Iterator[SiteStage]:
    """The same in the lab's own directory; signals stop it in an orderly way."""
    with signals_unwind(), ExitStack() as stack:
        try:
            directory = stack.enter_context(lab_directory())
            say(f"Starting the site in {directory}")
            yield stack.enter_context(open_site(directory, say))
        finally:
            ignore_signals()
            say("Stopping the site")
