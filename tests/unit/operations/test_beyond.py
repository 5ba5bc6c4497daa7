"""Clients whose work goes on when they are dead are named; a word that only looks like one is not."""

from __future__ import annotations

import pytest

from remotejobs.operations.migration.beyond import beyond_proof


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("docker exec -i db psql -f up.sql", ["docker exec"]),
        ("docker -H tcp://x compose up -d", ["docker up"]),
        ("sudo systemd-run --unit=m ./migrate", ["systemd-run"]),
        ("systemctl --user restart app", ["systemctl restart"]),
        ("kubectl -n shop exec pod -- ./migrate", ["kubectl exec"]),
        ("echo ./migrate | at now", ["at"]),
        ("/usr/bin/tmux new -d ./migrate", ["tmux"]),
        ("psql -f up.sql", []),  # it ended by itself
        ("cat at.txt; ./docker.sh; echo done", []),
    ],
)
def test_clients_in_a_command(command: str, names: list[str]) -> None:
    assert [line.partition(":")[0] for line in beyond_proof([command], killed=False)] == names


def test_a_database_goes_on_with_the_statement_of_a_client_that_was_killed() -> None:
    commands = ["PGAPPNAME=x psql -c 'update t set a = 1'"]
    (line,) = beyond_proof(commands, killed=True)
    assert line.startswith("psql: the server runs its statement to the end, and may commit it")
    assert beyond_proof(commands, killed=True, postgres=True) == ()
    assert beyond_proof(["mysql -e 'update t set a = 1'"], killed=True, postgres=True)


def test_a_check_that_nothing_is_at_work_covers_what_daemons_do_and_no_database() -> None:
    assert beyond_proof(["docker exec db sh"], killed=True, stopped=True) == ()
    assert beyond_proof(["docker exec db psql"], killed=True, stopped=True)
