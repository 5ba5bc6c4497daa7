"""A real dropbear on 127.0.0.1, as small systems have it: for one user of this machine, with one pinned host key.

Needs root. dropbear reads no authorized_keys but that of the user's home, so that the key is put there.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab import guard
from lab.ports import Port, answers_as_ssh
from lab.users import LabUser

DROPBEAR = "/usr/sbin/dropbear"
SFTP_SERVER = Path("/usr/lib/sftp-server")  # the only place where dropbear looks for one


class Dropbear:
    """`with Dropbear(directory, user) as dropbear:` serves `user`, who must exist already.

    Without `sftp` it is on a machine that has no SFTP server, as most that run dropbear are. With `both_factors` it
    wants the key and the password.
    """

    def __init__(self, directory: Path, user: LabUser, *, sftp: bool = True, both_factors: bool = False) -> None:
        self.directory = directory.resolve()
        self.user = user
        self.private_key = self.directory / "id_ed25519"
        self.known_hosts = self.directory / "known_hosts"
        self.log = self.directory / "log"
        self._sftp = sftp
        self._options = ["-t"] if both_factors else []
        self._port = Port()
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        host_key = self.directory / "host_ed25519"
        for key in (self.private_key, host_key):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key))
        _run("dropbearconvert", "openssh", "dropbear", str(host_key), f"{host_key}.dropbear")
        kind, public = host_key.with_suffix(".pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self._port.number} {kind} {public}\n")
        self.authorize()
        self._start(f"{host_key}.dropbear")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            # With those that serve a connection: they are of its session until they run the user's shell.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
        self._port.close()

    @property
    def port(self) -> int:
        return self._port.number

    def variables(self) -> dict[str, Any]:
        """The inventory variables that reach it with the key, in Ansible's words."""
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self._port.number,
            "ansible_user": self.user.name,
            "ansible_ssh_private_key_file": str(self.private_key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o GlobalKnownHostsFile=none",
        }

    def authorize(self) -> None:
        """Let its key in, and no other: the last dropbear of a user is the one that this user can log in to."""
        home = Path(pwd.getpwnam(self.user.name).pw_dir)
        keys = home / ".ssh" / "authorized_keys"
        keys.parent.mkdir(mode=0o700, exist_ok=True)
        keys.write_bytes(self.private_key.with_suffix(".pub").read_bytes())
        keys.chmod(0o600)
        for path in (keys.parent, keys):
            shutil.chown(path, self.user.name)

    def _start(self, host_key: str) -> None:
        words = [DROPBEAR, "-F", "-E", "-e", "-m", "-r", host_key, "-p", f"127.0.0.1:{self._port.number}"]
        words += ["-P", str(self.directory / "pid"), *self._options]
        if not self._sftp and SFTP_SERVER.exists():
            hide = 'mount --bind /dev/null "$0" && exec "$@"'
            words = ["unshare", "--mount", "sh", "-c", hide, str(SFTP_SERVER.resolve()), *words]
        with self.log.open("wb") as log:
            self._server = server = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], **guard.mark()},
                start_new_session=True,
            )
        if not answers_as_ssh(self._port.number, alive=lambda: server.poll() is None):
            raise RuntimeError(f"the lab's dropbear did not start: {self.log.read_text().strip()}")


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
