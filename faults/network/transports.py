"""Ways to hosts: the lab's own, through a bad wire, or into namespaces of this machine without any SSH."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.proxy import Proxy
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection, Question, Reply
from remotejobs.connections.connect import open_connection
from remotejobs.errors import TimedOut
from remotejobs.jobs.client import HostJobs


@dataclass(frozen=True)
class FaultHost:
    """A host of no inventory."""

    name: str
    variables: Mapping[str, Any] = field(default_factory=dict)


def connection_to(
    lab: SshLab, name: str, *, wire: Proxy | None = None, retry_for: float = 30.0, connect_timeout: int = 10
) -> Connection:
    """A connection of its own to a host of the lab; over `wire` it expects the host's own key all the same."""
    variables = lab.variables(name) | {"ansible_timeout": connect_timeout}
    if wire:
        alias = f"-o HostKeyAlias=[127.0.0.1]:{variables['ansible_port']}"
        variables |= {"ansible_port": wire.port, "ansible_ssh_extra_args": alias}
    return open_connection(FaultHost(name, variables), retry_for=retry_for)


def jobs_at(connection: Connection, directory: object) -> HostJobs:
    return HostJobs(connection, directory=str(directory))


class ProgramConnection:
    """A host that is reached by a program which runs `sh -s`: `unshare`, `nsenter`, or nothing in front at all."""

    def __init__(self, *front: str, env: Mapping[str, str] | None = None) -> None:
        self.host = "here"
        self._front: Sequence[str] = front
        self._env = dict(os.environ, **(env or {}))

    def ask(self, question: Question) -> Reply:
        words = [*self._front, "sh", "-s"]
        try:
            done = subprocess.run(
                words,
                input=question.script,
                capture_output=True,
                timeout=question.timeout,
                env=self._env,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise TimedOut(self.host, f"no complete answer within {question.timeout:g} s") from exc
        return Reply(done.stdout, done.stderr, question.end in done.stdout)

    def close(self) -> None:
        """Nothing is kept open."""
