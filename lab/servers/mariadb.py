"""A real MariaDB behind a socket and on 127.0.0.1, in a directory of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.ports import Port
from lab.process import LabError, ServerProcess

_ROOT = Path("/")
_ADMIN = "/usr/sbin:/usr/bin:/bin"


class Mariadb:
    """`with Mariadb(directory) as mariadb:` gives a running, empty server; `directory` gets its log.

    root needs no password at the socket; the user `lab` has all rights over TCP, with the password in `option_file`.
    """

    def __init__(self, directory: Path) -> None:
        self.host = "127.0.0.1"
        self.user = "lab"
        self._port = Port()
        self.port = self._port.number
        self.option_file = directory.resolve() / "my.cnf"
        self._server = ServerProcess("MariaDB", directory.resolve() / "mariadb.log")
        self._home = Path()

    @property
    def socket(self) -> Path:
        return self._home / "socket"

    def query(self, sql: str, database: str = "") -> str:
        """What the client answers, without headings; `LabError` with its words when it fails."""
        words = [
            "mariadb",
            "--no-defaults",
            f"--socket={self.socket}",
            "-uroot",
            "-BN",
            "-e",
            sql,
            *([database] if database else []),
        ]
        return _run(words).strip()

    def __enter__(self) -> Self:
        self.option_file.parent.mkdir(parents=True, exist_ok=True)
        self._home = Path(tempfile.mkdtemp(prefix="remotejobs-mariadb-"))
        try:
            if os.geteuid() == 0:
                os.chown(self._home, _owner().pw_uid, _owner().pw_gid)
            self._home.chmod(0o755)
            data = self._home / "data"
            install = [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={data}",
                "--skip-test-db",
                "--skip-name-resolve",
            ]
            as_owner = [*_as_owner(), "env", f"TMPDIR={self._home}"]
            _run([*as_owner, *install, "--auth-root-authentication-method=normal"])
            words = [f"--datadir={data}", f"--socket={self.socket}", f"--pid-file={self._home}/pid", "--skip-log-bin"]
            words += [f"--port={self.port}", f"--bind-address={self.host}", "--innodb-flush-log-at-trx-commit=0"]
            program = shutil.which("mariadbd", path=_ADMIN)
            if program is None:
                raise LabError("MariaDB is not installed. Run `make setup`, or install mariadb-server-core.")
            self._server.start([*as_owner, program, "--no-defaults", *words], cwd=_ROOT)
            self._server.await_ready(self._answers)
            self.query("CREATE USER lab@'127.0.0.1' IDENTIFIED BY 'lab'; GRANT ALL ON *.* TO lab@'127.0.0.1'")
            self.option_file.write_text("[client]\npassword=lab\n")
            self.option_file.chmod(0o600)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def destroy(self) -> None:
        """End it and remove its data, as a host does that burns."""
        self._remove()

    def _answers(self) -> bool:
        try:
            self.query("SELECT 1")
        except LabError:
            return False
        return True

    def _remove(self) -> None:
        self._server.end()
        shutil.rmtree(self._home, ignore_errors=True)


def _owner() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _as_owner() -> list[str]:
    if os.geteuid() != 0:
        return []
    owner = _owner()
    return ["setpriv", "--pdeathsig=TERM", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--"]


def _run(command: Sequence[str]) -> str:
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{_ADMIN}"}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=env, cwd=_ROOT
    )
    if done.returncode:
        raise LabError(
            f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout
