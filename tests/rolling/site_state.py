"""Checks of the lab's site, and a deployment that can be interrupted."""

from __future__ import annotations

from pathlib import Path

from lab.servers.web.site import WEB, LabSite

# Leaves a mark when it begins and a line each time it runs. Where there is a file `gate`, it waits for a file `go`.
GATED = (
    'echo "$VERSION" >>deploys; touch started; [ ! -e gate ] || echo "waits in $PWD"; '
    '[ ! -e gate ] || until [ -e go ]; do sleep 0.1; done; app/deploy.sh "$VERSION" 0'
)


def home(site: LabSite, name: str) -> Path:
    return site.ssh.host(name).home


def close_gates(site: LabSite, *names: str) -> None:
    """Let the deployments of these hosts wait once they have started, for `open_gates`."""
    for name in names:
        (home(site, name) / "gate").touch()


def open_gates(site: LabSite, *names: str) -> None:
    for name in names:
        (home(site, name) / "go").touch()


def statuses(site: LabSite) -> list[str]:
    return [site.haproxy.status(name).split()[0] for name in WEB]


def versions(site: LabSite) -> list[str]:
    return [site.applications[name].deployed for name in WEB]


def ready_by(site: LabSite) -> str:
    """The command that puts $HOST back."""
    return f'echo "set server app/$HOST state ready" | socat - UNIX-CONNECT:{site.haproxy.socket}'
