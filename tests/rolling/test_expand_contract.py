"""The example flow that changes a database and the program before it: expand, update every host, contract."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from lab.load import Load
from lab.servers.postgres import Postgres
from lab.servers.web.site import LabSite
from remotejobs.operations.migration import Commands
from remotejobs.operations.rolling import Update
from remotejobs.prefect.flows.examples.expand_contract import expand_contract
from remotejobs.prefect.tasks.access import Access
from tests.rolling.conftest import nothing_lost
from tests.rolling.site_state import versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BOTH = "SELECT name, email FROM account"


@pytest.fixture
def account(postgres: Postgres) -> Iterator[Postgres]:
    postgres.query("CREATE TABLE account (name text); INSERT INTO account VALUES ('a@example.com')", "orders")
    yield postgres
    postgres.query("DROP TABLE account", "orders")


def columns(postgres: Postgres) -> str:
    wanted = "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns"
    return postgres.query(f"{wanted} WHERE table_name = 'account'", "orders")


def run(site: LabSite, postgres: Postgres, deploy: str, **plan: Any) -> State[Any]:
    env = {**postgres.environment, "PGDATABASE": "orders"}

    def sql(text: str) -> str:
        return f"psql -Xqv ON_ERROR_STOP=1 -c {shlex.quote(text)}"

    expand = Commands(
        env=env,
        migrate=sql("ALTER TABLE account ADD COLUMN IF NOT EXISTS email text; UPDATE account SET email = name"),
        verify=sql(BOTH),
        rollback=sql("ALTER TABLE account DROP COLUMN IF EXISTS email"),
    )
    contract = Commands(
        env=env, migrate=sql("ALTER TABLE account DROP COLUMN name"), verify=sql("SELECT email FROM account")
    )
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in env.items())
    update = Update.model_validate(site.update("2.0", deploy=f"{exports} {sql(BOTH)} && {deploy}", **plan))
    access = Access(inventory=str(site.inventory))
    state: State[Any] = expand_contract(access, "balancers", "web", expand, update, contract, return_state=True)
    return state


def test_old_and_new_program_find_what_they_need_all_the_while(site: LabSite, load: Load, account: Postgres) -> None:
    with load:
        state = run(site, account, 'app/deploy.sh "$VERSION"', serial=2)
    assert state.is_completed(), state.message
    assert state.message == "2.0 runs on web; balancers expanded and contracted"
    assert versions(site) == ["2.0"] * 4
    assert columns(account) == "email"
    nothing_lost(load)


def test_an_update_that_fails_leaves_the_database_so_that_the_old_program_goes_on(
    site: LabSite, account: Postgres
) -> None:
    state = run(site, account, "exit 3", revert="nothing")
    assert state.name == "Stopped"
    assert str(state.message).startswith("update ended as Stopped: Update to 2.0 stopped: ")
    assert columns(account) == "name,email"
    assert versions(site) == ["1.0"] * 4
