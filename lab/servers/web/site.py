"""A site: HAProxy before application servers, each of them on a host of its own, and the balancer on one more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from lab.ports import Port
from lab.servers.sshd import SshLab
from lab.servers.web.application import Application
from lab.servers.web.haproxy import Haproxy

BALANCER = "lb1"
WEB = ("web1", "web2", "web3", "web4")


class LabSite:
    """`with LabSite(directory) as site:` serves version 1.0 on `site.haproxy.url`."""

    def __init__(
        self,
        directory: Path,
        names: Sequence[str] = WEB,
        version: str = "1.0",
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.names = tuple(names)
        self.ssh = SshLab(self.directory / "hosts", [BALANCER, *names])
        self.inventory = self.directory / "inventory.yml"
        self._version = version
        self._options = options
        self._ports = {name: Port() for name in self.names}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.ssh)
            ports = {name: port.number for name, port in self._ports.items()}
            self.applications = {
                name: stack.enter_context(Application(self.ssh.host(name).home, port, name, self._version))
                for name, port in ports.items()
            }
            self.haproxy = stack.enter_context(Haproxy(self.directory / "haproxy", ports, options=self._options))
            self.inventory.write_text(yaml.safe_dump({"all": {"children": self.groups}}, sort_keys=False))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def lose(self, name: str) -> None:
        """What happens when a host loses power."""
        self.ssh.stop_host(name)
        self.applications[name].die()

    def update(self, version: str, **others: Any) -> dict[str, Any]:
        """The parameter `update` of a rolling update of this site, quick enough for a lab."""
        haproxy = {"hosts": [BALANCER], "socket": str(self.haproxy.socket), "backend": "app"}
        plan: dict[str, Any] = {
            "version": version,
            "deploy": 'app/deploy.sh "$VERSION"',
            "health": {
                "url": "http://{ansible_host}:{app_port}/health",
                "version": '"version": "([^"]+)"',
                "stable_for": 0.5,
                "deadline": 30,
                "interval": 0.1,
            },
            "balancer": {"kind": "haproxy", "haproxy": haproxy},
            "drain": 20,
            "contact_timeout": 10,
            "soak": 1,
        }
        return plan | others

    @property
    def groups(self) -> dict[str, Any]:
        """The groups of its inventory."""
        web = {name: self.ssh.variables(name) | {"app_port": port.number} for name, port in self._ports.items()}
        return {"web": {"hosts": web}, "balancers": {"hosts": {BALANCER: self.ssh.variables(BALANCER)}}}
