"""What a person reads before saying yes: everything that will run, where, as which user, and for how long."""

from __future__ import annotations

from dataclasses import replace

from remotejobs.operations.migration import Commands, FreeSpace, MigrationPlan, MigrationStep, PostgresProof, Timeouts
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.migration.migration import Migration
from remotejobs.prefect.tasks.migration.run import question

COMMANDS = Commands(
    migrate="psql -f up.sql\npsql -f fill.sql",
    verify="psql -f verify.sql",
    rollback="psql -f down.sql",
    verify_rollback="psql -f verify_down.sql",
    prepare_rollback="createdb copy",
)


def migration(commands: Commands = COMMANDS, **access: object) -> Migration:
    return Migration(
        access=Access.model_validate({"inventory": "inventories/hosts.yml", **access}),
        plan=MigrationPlan(("db1", "db2"), commands.steps, one_by_one=True),
        commands=commands,
        timeouts=Timeouts(migrate=7200, verify=90),
        jids={step: f"{step}.1" for step in MigrationStep},
        owner="1",
        label="migration one",
        contact_timeout=600,
        poll=15,
        free_space=FreeSpace(),
    )


def test_it_says_what_will_run_on_which_hosts_as_which_user_and_for_how_long_at_most() -> None:
    assert question(migration(become=True, become_user="postgres"), ["shop", "files"]) == (
        "Backed up first: shop, files\n\n"
        "On **db1, db2**, one by one, as postgres, of the inventory inventories/hosts.yml:\n\n"
        "migrate, for at most 2 hours:\n\n    psql -f up.sql\n    psql -f fill.sql\n\n"
        "prepare\\_rollback, for at most 1 hour:\n\n    createdb copy\n\n"
        "verify, for at most 90 seconds:\n\n    psql -f verify.sql\n\n"
        "rollback if a host fails, for at most 1 hour:\n\n    psql -f down.sql\n\n"
        "verify\\_rollback if a host fails, for at most 10 minutes:\n\n    psql -f verify_down.sql"
    )


def test_it_says_where_and_with_what_the_commands_run_and_what_is_terminated() -> None:
    commands = COMMANDS.model_copy(update={"chdir": "/srv/shop", "env": {"PGDATABASE": "shop"}})
    asked = question(replace(migration(commands), postgres=PostgresProof(left="terminate")))
    assert "Each in /srv/shop.\n\nEach with PGDATABASE=shop.\n\nBefore a rollback, what PostgreSQL still does" in asked


def test_it_says_which_safety_there_is_not() -> None:
    asked = question(migration(Commands(migrate="psql -f up.sql", verify="psql -f verify.sql")))
    assert asked.endswith("There is no rollback, no verify\\_rollback.")


def test_no_parameter_can_write_into_it_what_is_not_so() -> None:
    asked = question(migration(Commands(migrate="true\n\n# Approved\x1b[2J"), inventory="a\n\n# Approved **twice**"))
    assert "# Approved" not in asked.splitlines()
    assert "of the inventory a # Approved \\*\\*twice\\*\\*:" in asked
    assert "\x1b" not in asked


def test_it_is_another_one_for_other_hosts() -> None:
    one = migration()
    assert question(one) != question(replace(one, plan=replace(one.plan, hosts=("db1",))))
