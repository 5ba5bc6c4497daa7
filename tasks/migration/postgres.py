"""Asking PostgreSQL, by way of a host, what is left there of a migration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prefect import get_run_logger

from remotejobs.errors import Unreachable
from remotejobs.jobs.wait import retry_while_unreachable
from remotejobs.operations.migration.host import MigrationHost
from remotejobs.operations.migration.postgres import (
    PostgresProof,
    PostgresRefused,
    left_in_postgres,
    step_environment,
    still_in_postgres,
)

_VERSION = "SELECT current_setting('server_version')"


@dataclass(frozen=True, slots=True)
class PostgresQuestion:
    """How to ask, and for whom: `names` are those of the steps there, `env` and `chdir` what the steps run with."""

    proof: PostgresProof
    names: tuple[str, ...]
    env: Mapping[str, str]
    chdir: str = ""

    def refused(self, host: MigrationHost) -> str:
        """Why the server cannot be asked there, or cannot check its clients; "" when it can. Raises `HostError`."""
        try:
            self._ask(host, self.env, _VERSION)
        except PostgresRefused as exc:
            return _without_host(exc)
        try:
            self._ask(host, step_environment(self.env, "", self.proof), _VERSION)
        except PostgresRefused as exc:
            return f"with PGOPTIONS that let it check its clients {_without_host(exc)}; switch check_clients off"
        return ""

    def await_end(self, host: MigrationHost, contact_timeout: float) -> str:
        """End what the server still does, or wait for its end: what is left in spite of it, "" for nothing.

        Raises `Unreachable`.
        """
        log = get_run_logger()
        left = left_in_postgres(
            self._patiently(host, contact_timeout),
            self.names,
            self.proof,
            lambda left: log.info("%s: %s", host.name, left),
        )
        if not left:
            log.info("%s: PostgreSQL has no backend of the migration", host.name)
        return left

    def still_there(self, host: MigrationHost, contact_timeout: float) -> str:
        """What the server still does, though every client has ended; "": nothing. Raises `HostError`."""
        left = still_in_postgres(self._patiently(host, contact_timeout), self.names)
        return left and f"in PostgreSQL {left}"

    def _ask(self, host: MigrationHost, env: Mapping[str, str], sql: str) -> str:
        return host.ask_postgres(self.proof.psql, sql, env=env, chdir=self.chdir)

    def _patiently(self, host: MigrationHost, contact_timeout: float) -> Callable[[str], str]:
        return lambda sql: retry_while_unreachable(
            lambda: self._ask(host, self.env, sql), contact_timeout=contact_timeout, on_unreachable=_log_unreachable
        )


def _without_host(error: PostgresRefused) -> str:
    return error.message.removeprefix(f"{error.host}: ")


def _log_unreachable(error: Unreachable) -> None:
    get_run_logger().warning("%s; asking again", error.message)
