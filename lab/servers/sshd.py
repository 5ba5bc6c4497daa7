"""Real OpenSSH servers on 127.0.0.1: one sshd a host, each with its own home, all with one pinned host key.

Works as root and as an ordinary user, who then logs in under the same name. Only root can serve other users.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from lab import guard
from lab.ports import Port, answers_as_ssh

SSHD = "/usr/sbin/sshd"


@dataclass(frozen=True, slots=True)
class LabHost:
    """One sshd: `home` is what HOME is in sessions; `log` is where sshd writes its own words."""

    name: str
    port: int
    user: str
    home: Path
    config: Path
    log: Path

    @property
    def results_dir(self) -> Path:
        return self.home / ".remotejobs"


class SshLab:
    """`with SshLab(directory, ["db1", "db2"]) as lab:` gives running hosts and ends them at the end.

    `users` names, for single hosts, another user to log in as (root only; that user's own home is used then).
    `extra_config` is added to every sshd_config, before the lab's own lines, so that it wins over them.
    `program` is another sshd than the system's.
    """

    def __init__(
        self,
        directory: Path,
        names: Sequence[str],
        *,
        max_startups: str = "500",
        extra_config: Sequence[str] = (),
        users: Mapping[str, str] | None = None,
        program: str = SSHD,
    ) -> None:
        self.directory = directory.resolve()
        self.names = tuple(names)
        self.private_key = self.directory / "id_ed25519"
        self.known_hosts = self.directory / "known_hosts"
        self.host_key = self.directory / "host_ed25519"
        self._max_startups = max_startups
        self._extra_config = tuple(extra_config)
        self._users = dict(users or {})
        self._program = program
        self._hosts: dict[str, LabHost] = {}
        self._ports = {name: Port() for name in self.names}
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        return tuple(self._hosts[name] for name in self.names)

    def host(self, name: str) -> LabHost:
        return self._hosts[name]

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        for key in (self.private_key, self.host_key):
            _generate_key(key)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise
        self._write_known_hosts()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for port in self._ports.values():
            port.close()

    def stop(self) -> None:
        """End every sshd and every connection."""
        for name in list(self._servers):
            self.stop_host(name)

    def start_host(self, name: str) -> None:
        """Start a stopped host on the port that it had."""
        self._spawn(name)
        self._await(name)

    def stop_host(self, name: str) -> None:
        """End the sshd of `name` and its connections, as a switched-off host would."""
        server = self._servers.pop(name)
        connections = _children(server.pid)
        server.kill()
        server.wait()
        _kill(connections)

    def restart_host(self, name: str) -> None:
        """End it with its connections, and start it with what its files say now."""
        self.stop_host(name)
        self.start_host(name)

    def drop_connections(self, name: str) -> int:
        """Cut every connection of `name` while its sshd goes on listening; returns how many there were."""
        connections = _children(self._servers[name].pid)
        _kill(connections)
        return len(connections)

    def connections(self, name: str) -> int:
        """How many connections `name` serves now."""
        return len(_children(self._servers[name].pid))

    def variables(self, name: str) -> dict[str, Any]:
        """The inventory variables that reach `name`, in Ansible's words."""
        host = self._hosts[name]
        options = f"-o 'UserKnownHostsFile=\"{self.known_hosts}\"' -o StrictHostKeyChecking=yes"
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": host.port,
            "ansible_user": host.user,
            "ansible_ssh_private_key_file": str(self.private_key),
            "ansible_ssh_common_args": options,
            "remotejobs_dir": str(host.results_dir),
        }

    def write_inventory(self, path: Path, groups: Mapping[str, Sequence[str]] | None = None) -> Path:
        """Write a YAML inventory of all hosts, with `groups` of host names; returns `path`."""
        tree: dict[str, Any] = {"hosts": {name: self.variables(name) for name in self.names}}
        if groups:
            tree["children"] = {group: {"hosts": dict.fromkeys(members)} for group, members in groups.items()}
        path.write_text(yaml.safe_dump({"all": tree}, sort_keys=False))
        return path

    def _start_all(self) -> None:
        for name, port in self._ports.items():
            self._configure(name, port.number)
            self._spawn(name)
        for name in self.names:
            self._await(name)

    def _await(self, name: str) -> None:
        host, server = self._hosts[name], self._servers[name]
        if not answers_as_ssh(host.port, alive=lambda: server.poll() is None):
            words = host.log.read_text() if host.log.exists() else "it wrote no log"
            raise RuntimeError(f"the lab's sshd {name} did not start on port {host.port}: {words.strip()}")

    def _spawn(self, name: str) -> None:
        host = self._hosts[name]
        # A session of its own, so that Ctrl-C at the terminal reaches the caller only, who then ends it.
        self._servers[name] = subprocess.Popen(
            [self._program, "-D", "-f", str(host.config), "-E", str(host.log)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _configure(self, name: str, port: int) -> None:
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        user = self._users.get(name, getpass.getuser())
        home = Path(pwd.getpwnam(user).pw_dir) if name in self._users else directory / "home"
        if name not in self._users:
            home.mkdir(exist_ok=True)
        host = LabHost(name, port, user, home, directory / "sshd_config", directory / "sshd.log")
        host.config.write_text("\n".join([*self._extra_config, *self._config_lines(host)]) + "\n")
        self._hosts[name] = host

    def _config_lines(self, host: LabHost) -> list[str]:
        lines = [
            f"Port {host.port}",
            "ListenAddress 127.0.0.1",
            f'HostKey "{self.host_key}"',
            f'PidFile "{host.config.with_name("sshd.pid")}"',
            f"MaxStartups {self._max_startups}",
            "UsePAM no",
            "UseDNS no",
            "StrictModes no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PrintMotd no",
            "Subsystem sftp internal-sftp",
        ]
        # sshd gives its own environment to no session, and of several lines SetEnv it takes the first.
        words = guard.mark() if host.name in self._users else guard.mark() | {"HOME": str(host.home)}
        if words:
            lines.append(" ".join(["SetEnv", *(f'"{name}={value}"' for name, value in words.items())]))
        if host.name in self._users:
            # The user cannot read the lab's directory, and nothing is written to its home: root reads the key instead.
            return [*lines, f'AuthorizedKeysCommand /bin/cat "{self._public_key}"', "AuthorizedKeysCommandUser root"]
        return [*lines, f'AuthorizedKeysFile "{self._public_key}"']

    @property
    def _public_key(self) -> Path:
        return self.private_key.with_suffix(".pub")

    def _write_known_hosts(self) -> None:
        kind, key = self.host_key.with_suffix(".pub").read_text().split()[:2]
        lines = [f"[127.0.0.1]:{host.port} {kind} {key}\n" for host in self.hosts]
        self.known_hosts.write_text("".join(lines))


def _generate_key(path: Path) -> None:
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _children(pid: int) -> list[int]:
    """The processes that sshd forked, one a connection."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
