"""Looks at the lab's site, and a deployment that can be interrupted."""

from __future__ import annotations

from pathlib import Path

from lab.site import WEB, Site

# Leaves a mark when it begins and a line for each time it is run, and takes long enough to be interrupted.
LONG = 'echo "$VERSION" >>deploys; touch begun; app/deploy.sh "$VERSION" 3'

# The same, but waits to be let go on: until there is a file `go`.
PATIENT = 'echo "$VERSION" >>deploys; touch begun; until [ -e go ]; do sleep 0.1; done; app/deploy.sh "$VERSION"'


def home(site: Site, name: str) -> Path:
    return site.ssh.host(name).home


def statuses(site: Site) -> list[str]:
    return [site.haproxy.status(name).split()[0] for name in WEB]


def versions(site: Site) -> list[str]:
    return [site.applications[name].deployed for name in WEB]


def ready_by(site: Site) -> str:
    """The command that puts $HOST back."""
    return f'echo "set server app/$HOST state ready" | socat - UNIX-CONNECT:{site.haproxy.socket}'
