"""How a PostgreSQL server is reached: in the same words by an item, a restore test elsewhere, and a restore."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal, Protocol

from pydantic import Field

from remotejobs.operations.backup.plan.base import Line
from remotejobs.worded import Worded

DEFAULT_PORT = 5432
SslMode = Annotated[
    Literal["", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    Field(description="How the connection to PostgreSQL is encrypted and checked, as libpq calls it."),
]
SslRootCert = Annotated[
    Line,
    Field(description="File on the host with the authorities that verify-ca and verify-full trust; empty: libpq's."),
]
Service = Annotated[
    Line, Field(description="Section of pg_service.conf on the host that says server, port and user instead.")
]

Programs = Annotated[
    Line,
    Worded("(/[^:]*)?", "an absolute path without a colon"),
    Field(
        description="Directory on the host with PostgreSQL's programs (pg_dump, psql, initdb), where those in PATH are "
        "of an older version than the server: /usr/lib/postgresql/18/bin. Empty: those in PATH.",
    ),
]


class PostgresConnection(Protocol):
    """What an item and a restore say of it, each among its own fields."""

    @property
    def server(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def passfile(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def sslmode(self) -> str: ...
    @property
    def sslrootcert(self) -> str: ...


def check_connection(given: PostgresConnection) -> None:
    """Raises `ValueError` for words that contradict each other, or ask for what a socket cannot give."""
    said = [name for name in ("server", "user", "sslmode", "sslrootcert") if getattr(given, name)]
    said += ["port"] if given.port not in (0, DEFAULT_PORT) else []
    if given.service and said:
        raise ValueError(f"service: {given.service!r} says {said[0]} too, and libpq would believe it; give one")
    by_socket = not given.service and (not given.server or given.server.startswith("/"))
    if by_socket and given.sslmode not in ("", "disable", "allow", "prefer"):
        raise ValueError(f"sslmode: {given.sslmode} cannot be had on a socket, where nothing is encrypted")
    if given.sslrootcert and not given.sslmode.startswith("verify-"):
        # libpq passes over a file that is not there, and then trusts any server.
        raise ValueError("sslrootcert: only sslmode verify-ca and verify-full are sure to read it; give one of them")


def programs_first(directory: str) -> list[str]:
    """The line of a shell by which programs of `directory` are found before others; none for ""."""
    return [f'export PATH={shlex.quote(directory)}:"$PATH"'] if directory else []


def libpq_of(given: PostgresConnection, database: str) -> list[tuple[str, str]]:
    """libpq's variables for it. As options, a database's name with `=` in it would be taken for a connection string."""
    named = [
        ("PGDATABASE", database),
        ("PGHOST", given.server),
        ("PGPORT", "" if given.service else str(given.port or DEFAULT_PORT)),
        ("PGSERVICE", given.service),
        ("PGSSLMODE", given.sslmode),
        ("PGSSLROOTCERT", given.sslrootcert),
        ("PGUSER", given.user),
        ("PGPASSFILE", given.passfile),
    ]
    return [(name, value) for name, value in named if value]
