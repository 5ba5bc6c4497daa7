"""PostgreSQL's own proof that nothing of a migration is left: no backend under the name that its steps have there.

A server goes on with the statement of a client that was killed, and may commit it. Every step runs with PGAPPNAME set
to a name of its own, which libpq's clients hand on, so that the server can be asked for what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from remotejobs.errors import HostRefused
from remotejobs.jobs.command_text import Command

_POLL = 1.0  # seconds
_GRACE_OF_THE_LEFT = 5.0  # seconds in which the backend of a client that has ended is gone
_CHECK_CLIENTS = "-c client_connection_check_interval=1s"


class PostgresProof(BaseModel):
    """How PostgreSQL is asked, on each host, what is left of the migration there, and what becomes of that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    psql: Command = Field(
        default="psql",
        min_length=1,
        description="Runs psql, as the jobs' user and from their directory; options are appended: psql -d shop, "
        ". ./env && psql, docker exec db psql -U postgres.",
    )
    left: Literal["wait", "terminate"] = Field(
        default="wait",
        description="What to do about statements that are still at work when all processes are dead: wait until they "
        "have ended, or terminate them.",
    )
    within: float = Field(
        default=600, ge=0, description="Seconds until no backend may be left; after that nothing is rolled back."
    )
    check_clients: bool = Field(
        default=True,
        description="Give each step PGOPTIONS by which the server ends a statement whose client is gone. Switch it "
        "off for a server before PostgreSQL 14, and where the steps go through PgBouncer, which refuses PGOPTIONS.",
    )


class PostgresRefused(HostRefused):
    """See whether the command in `postgres.psql` works there, as that user."""


def application_name(step: str, owner: str) -> str:
    """The name of a step's backends: its step and the flow run. At most 63 bytes, of which PostgreSQL keeps all."""
    return f"{step}.{owner}"[:63]


def step_environment(given: Mapping[str, str], name: str, proof: PostgresProof | None) -> dict[str, str]:
    """The environment of a step: what was given, its name in PostgreSQL, and that the server checks its clients.

    It follows from the run's parameters alone, so that a retried run attaches to the same job.
    """
    options = f"{_CHECK_CLIENTS} {given.get('PGOPTIONS', '')}".strip()
    return {**given, "PGAPPNAME": name, **({"PGOPTIONS": options} if proof and proof.check_clients else {})}


def find_backends(names: Iterable[str]) -> str:
    """SQL that answers with the backends under `names`: PID(STATE: STATEMENT), and nothing where there is none."""
    backend = "pid || '(' || coalesce(state, 'backend') || ': ' || left(regexp_replace(query, '\\s+', ' ', 'g'), 60)"
    return f"SELECT coalesce(string_agg({backend} || ')', ' ' ORDER BY pid), '') {_where(names)}"


def terminate_backends(names: Iterable[str]) -> str:
    """SQL that terminates the backends under `names`."""
    return f"SELECT count(pg_terminate_backend(pid))::text {_where(names)}"


def _where(names: Iterable[str]) -> str:
    quoted = ", ".join("'{}'".format(name.replace("'", "''")) for name in names)
    return f"FROM pg_stat_activity WHERE application_name IN ({quoted}) AND pid <> pg_backend_pid()"


def left_in_postgres(
    ask: Callable[[str], str], names: Iterable[str], proof: PostgresProof, report: Callable[[str], None]
) -> str:
    """End what PostgreSQL still does under `names`, or wait for its end; "" proves that nothing is left.

    `ask` answers SQL; while it raises `PostgresRefused`, as in a server that recovers, it is asked again. `report` is
    called when there is something to wait for, and when that changes.
    """
    names = tuple(names)
    until = time.monotonic() + proof.within
    reported = ""
    while left := _ask_once(ask, names, terminate=proof.left == "terminate"):
        if left != reported:
            report(left)
        reported = left
        if time.monotonic() >= until:
            return left
        time.sleep(_POLL)
    return ""


def still_in_postgres(ask: Callable[[str], str], names: Iterable[str]) -> str:
    """What PostgreSQL still does under `names`, whose clients have ended by themselves; "": nothing. Ends nothing."""
    names = tuple(names)
    until = time.monotonic() + _GRACE_OF_THE_LEFT
    while (left := ask(find_backends(names))) and time.monotonic() < until:
        time.sleep(_POLL / 5)
    return left


def _ask_once(ask: Callable[[str], str], names: tuple[str, ...], *, terminate: bool) -> str:
    try:
        left = ask(find_backends(names))
        if left and terminate:
            ask(terminate_backends(names))
            left = ask(find_backends(names))
    except PostgresRefused as exc:
        return f"PostgreSQL could not be asked for what is left there: {exc.message.removeprefix(f'{exc.host}: ')}"
    return left and f"PostgreSQL is still at work for the migration: {left}"
