"""PostgreSQL's own proof: what is left there of a migration whose processes are dead. A real server, no SSH."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.servers.postgres import Postgres
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from remotejobs.operations.migration import MigrationStep
from remotejobs.operations.migration.host import MigrationHost
from remotejobs.operations.migration.postgres import (
    PostgresProof,
    PostgresRefused,
    application_name,
    find_backends,
    left_in_postgres,
    step_environment,
    still_in_postgres,
    terminate_backends,
)
from tests.awaiting import await_true
from tests.shell.shells import ShellConnection, ended, host_jobs, shell_path

NAME = application_name("migrate", "0ea80ab0-bc2d-494b-a3d1-b80c62ec2941")
WRITES = """psql -Xq -d orders <<'SQL'
DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.05); END LOOP;
    INSERT INTO left_behind VALUES (1);
END $$
SQL
"""


@dataclass(frozen=True)
class Client:
    """A host without sshd, whose jobs reach the server by the variables that all of libpq's programs read."""

    jobs: HostJobs
    migration: MigrationHost
    postgres: Postgres

    def ask(self, sql: str) -> str:
        return self.migration.ask_postgres("psql -d orders", sql, env=self.postgres.environment)

    def kill_a_step(self, *, check_clients: bool) -> None:
        """A step that writes when the gate is open, killed with all its processes while the server is at it."""
        env = step_environment(self.postgres.environment, NAME, PostgresProof(check_clients=check_clients))
        self.jobs.start(Job(jid="migrate", cmd=WRITES, env=env))
        await_true(lambda: "WHILE NOT EXISTS" in self.ask(find_backends([NAME])))
        self.jobs.kill("migrate")
        assert ended(self.jobs, "migrate").state is State.KILLED
        assert self.migration.prove_dead(["migrate"], grace=0) == ""

    def open_the_gate(self) -> None:
        self.postgres.query("INSERT INTO gate VALUES (1)", "orders")

    @property
    def rows(self) -> str:
        return self.postgres.query("SELECT count(*) FROM left_behind", "orders")


@pytest.fixture
def client(tmp_path: Path, postgres: Postgres) -> Iterator[Client]:
    tables = "CREATE TABLE left_behind (a int); CREATE TABLE gate (a int)"
    postgres.query(f"DROP TABLE IF EXISTS left_behind, gate; {tables}", "orders")
    path = shell_path(tmp_path / "bin", "dash")
    for jobs in host_jobs(tmp_path, path):
        home = tmp_path / "home with 'quotes'"
        yield Client(jobs, MigrationHost(Shell(ShellConnection(path, home)), directory=f"{home}/jobs"), postgres)
    postgres.query(terminate_backends([NAME]))


def test_a_statement_goes_on_without_its_client_and_is_waited_for(client: Client) -> None:
    client.kill_a_step(check_clients=False)
    reported: list[str] = []

    def report(left: str) -> None:
        reported.append(left)
        client.open_the_gate()

    assert left_in_postgres(client.ask, [NAME], PostgresProof(), report) == ""
    assert re.fullmatch(
        r"PostgreSQL is still at work for the migration: \d+\(active: DO \$\$ BEGIN WHILE NOT EXISTS .*\)", reported[0]
    )
    assert client.rows == "1", "it was committed, although its client was killed"


def test_or_it_is_terminated_on_request(client: Client) -> None:
    client.kill_a_step(check_clients=False)
    proof = PostgresProof(left="terminate")
    assert left_in_postgres(client.ask, [NAME], proof, lambda _: None) == ""
    client.open_the_gate()
    assert client.rows == "0"


def test_what_does_not_end_in_time_is_left_with_its_name(client: Client) -> None:
    client.kill_a_step(check_clients=False)
    left = left_in_postgres(client.ask, [NAME], PostgresProof(within=0), lambda _: None)
    assert left.startswith("PostgreSQL is still at work for the migration: ")


def test_a_server_that_checks_its_clients_ends_the_statement_of_a_killed_one_by_itself(client: Client) -> None:
    client.kill_a_step(check_clients=True)
    assert left_in_postgres(client.ask, [NAME], PostgresProof(), lambda _: None) == ""
    client.open_the_gate()
    assert client.rows == "0"


def test_a_step_that_ended_with_0_and_whose_statement_goes_on_is_found_out(client: Client) -> None:
    env = step_environment(client.postgres.environment, NAME, None)
    client.jobs.start(Job(jid="migrate", cmd=f"timeout 1 sh <<'EOF' || true\n{WRITES}EOF", env=env))
    assert ended(client.jobs, "migrate").state is State.SUCCEEDED
    assert client.migration.left_running(["migrate"]) == ""
    assert "WHILE NOT EXISTS" in still_in_postgres(client.ask, [NAME])
    client.open_the_gate()
    await_true(lambda: still_in_postgres(client.ask, [NAME]) == "")


def test_a_server_that_cannot_be_asked_proves_nothing(client: Client) -> None:
    def nowhere(sql: str) -> str:
        return client.migration.ask_postgres("psql -h 127.0.0.1 -p 1 -d orders", sql, env=client.postgres.environment)

    with pytest.raises(PostgresRefused, match=r"`psql -h 127.0.0.1 -p 1 -d orders` did not answer: rc 2: "):
        nowhere("SELECT 'x'")
    left = left_in_postgres(nowhere, [NAME], PostgresProof(within=0), lambda _: None)
    assert left.startswith("PostgreSQL could not be asked for what is left there: `psql -h 127.0.0.1")


@pytest.mark.parametrize(
    ("psql", "answer"),
    [
        ("echo a word of an env file; psql -d orders", "it's"),
        ("psql -d orders # the shop's", None),
        ("true", None),
    ],
)
def test_what_else_the_command_prints_is_not_the_answer(client: Client, psql: str, answer: str | None) -> None:
    def ask() -> str:
        return client.migration.ask_postgres(psql, "SELECT 'it''s'", env=client.postgres.environment)

    if answer:
        assert ask() == answer
    else:
        with pytest.raises(PostgresRefused, match="it printed no answer"):
            ask()


def test_the_name_of_a_step_is_one_that_postgresql_keeps_whole() -> None:
    longest = max(map(str, MigrationStep), key=len)
    assert len(application_name(longest, "0ea80ab0-bc2d-494b-a3d1-b80c62ec2941")) <= 63


def test_options_that_were_given_stay() -> None:
    env = step_environment({"PGOPTIONS": "-c lock_timeout=3s", "PGHOST": "db"}, "n", PostgresProof())
    assert env == {
        "PGOPTIONS": "-c client_connection_check_interval=1s -c lock_timeout=3s",
        "PGHOST": "db",
        "PGAPPNAME": "n",
    }
    assert step_environment({}, "n", None) == {"PGAPPNAME": "n"}
