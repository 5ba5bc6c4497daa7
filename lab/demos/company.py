"""What `make up` has beside the demo's lab: a site behind HAProxy, a release to bring to hosts, parameters for all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from lab.demos.plan import GROUPS, deployment_parameters
from lab.demos.stage import Say, Stage
from lab.servers.web.files import WebFiles
from lab.servers.web.site import LabSite

WEB = ("web1", "web2", "web3")
VERSION = "2.0"  # the site serves 1.0
RELEASE = "app-2.0.tar"
_RELEASE_BYTES = 8 * 1024 * 1024

Parameters = Mapping[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Company:
    """`parameters` are those of each deployment that a person would press: with them it ends well."""

    site: LabSite
    parameters: Parameters


@contextmanager
def open_company(stage: Stage, say: Say) -> Iterator[Company]:
    """Have the stage's inventory name the site's hosts too, and every deployment work on what there is."""
    releases = stage.directory / "releases"
    releases.mkdir(exist_ok=True)
    (releases / RELEASE).write_bytes(os.urandom(_RELEASE_BYTES))
    with LabSite(stage.directory / "site", WEB) as site, WebFiles(releases) as web:
        say(f"  HAProxy     {site.haproxy.url}, before {', '.join(WEB)}")
        _add_groups(stage.inventory, site.groups)
        company = Company(site, _parameters(stage, site, f"{web.url}{RELEASE}"))
        stage.set_parameters(company.parameters)
        yield company


def _add_groups(inventory: Path, groups: Mapping[str, Any]) -> None:
    tree = yaml.safe_load(inventory.read_text())
    tree["all"]["children"] |= groups
    inventory.write_text(yaml.safe_dump(tree, sort_keys=False))


def _parameters(stage: Stage, site: LabSite, url: str) -> Parameters:
    """The hosts share a machine, which nothing here may restart: what would only shows what it would do."""
    access = {"inventory": str(stage.inventory)}
    demo: Parameters = deployment_parameters(stage.postgres, stage.inventory)
    plan = demo["nightly-backup"]["plan"]
    orders = next(item for item in plan["databases"] if item["name"] == "orders")
    server = {key: orders[key] for key in ("server", "port", "user", "passfile")}
    restore = {"item": "orders", "directory": plan["directory"], "database": "orders_restored", **server}
    files = stage.ssh.host(GROUPS["files"][0]).home
    only_show = {"dry_run": True}
    return {
        **demo,
        "restore": {"access": access, "hosts": orders["hosts"], "restore": restore, **only_show},
        # Of the days before this lab there are no backups: the page says so, and the run is a warning.
        "report-backups": {"access": access, "plan": plan, "month": f"{datetime.now(UTC):%Y-%m}", "file": ""},
        "report-jobs": {"access": access, "hosts": "files", "jobs": "tar site"},
        "rolling-update": {
            "access": access,
            "hosts": "web",
            "update": site.update(VERSION, canary=1, serial="50%"),
        },
        # To one host, from the root on: the lab's hosts share their files, and SFTP knows no HOME but that of the user.
        "transfer": {
            "access": access,
            "direction": "push",
            "hosts": "files",
            "source": str(stage.directory / "releases" / RELEASE),
            "dest": str(files / "pushed.tar"),
        },
        "download": {"access": access, "hosts": "files", "url": url, "dest": str(files / RELEASE), "poll": 1},
        "reboot": {"access": access, "hosts": "web", **only_show},
        "restart-services": {"access": access, "hosts": "web", "units": ["nginx"], "run": only_show},
    }
