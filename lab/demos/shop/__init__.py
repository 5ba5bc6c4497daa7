"""A shop's database of 200,000 rows for each host of the lab, and the commands that migrate it."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from lab.servers.postgres import Postgres
from lab.servers.sshd import LabHost
from remotejobs.operations.backup import BackupPlan, PostgresItem
from remotejobs.operations.migration import Commands

TEMPLATE = "shop"
_HERE = Path(__file__).parent
_PSQL = ". shop/env && psql -qXAt -v ON_ERROR_STOP=1"
NOTHING = "SELECT"
FAILURE = "SELECT 1 / 0"
HANG = "SELECT pg_sleep(600)"

# The backup that went before is restored at the same time as the migration runs, to compare with.
_RESTORE = """\
. shop/env
dropdb --if-exists "${PGDATABASE}_before" && createdb "${PGDATABASE}_before" &&
    pg_restore --dbname "${PGDATABASE}_before" "$(ls backups/shop-*.dump | tail -n 1)"
"""
_COMPARE = """\
. shop/env
now=$(psql -qXAt -f shop/checksum.sql) && before=$(psql -qXAt -d "BEFORE" -f shop/checksum.sql) &&
    echo "now:    $now" && echo "before: $before" && [ "$now" = "$before" ]
"""


class Shop:
    """The databases of the shop. Make it once for each PostgreSQL; `open_on` gives a host its own copy."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        postgres.query(f"CREATE DATABASE {TEMPLATE}")
        postgres.query((_HERE / "create.sql").read_text(), TEMPLATE)

    def open_on(self, host: LabHost) -> None:
        """Give `host` a fresh copy of the database and the files to migrate it, in its home."""
        database = database_of(host.name)
        for name in (database, f"{database}_before"):
            self._postgres.query(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._postgres.query(f"CREATE DATABASE {database} TEMPLATE {TEMPLATE}")
        directory = host.home / "shop"
        directory.mkdir(exist_ok=True)
        for path in _HERE.glob("*.sql"):
            shutil.copy(path, directory)
        # A server goes on with a statement whose client was killed, unless it is set to check its clients.
        options = "-c client_connection_check_interval=100ms"
        settings = {**self._postgres.environment, "PGDATABASE": database, "PGOPTIONS": options}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()]
        (directory / "env").write_text("".join(lines))

    def checksum(self, host: str) -> str:
        """Of the definition and of all rows of the host's table."""
        return self._postgres.query((_HERE / "checksum.sql").read_text(), database_of(host))

    @property
    def untouched(self) -> str:
        """The checksum of a table that nobody has migrated."""
        return self._postgres.query((_HERE / "checksum.sql").read_text(), TEMPLATE)


def database_of(host: str) -> str:
    return f"{TEMPLATE}_{host}"


def commands(halfway: str = NOTHING, *, backed_up: bool = False) -> Commands:
    """Migrate the shop, and back; `halfway` is SQL that is run when half of the rows are done.

    With `backed_up`, what was rolled back is compared with the backup, otherwise with the lab's own first copy.
    """
    before = "${PGDATABASE}_before" if backed_up else TEMPLATE
    return Commands(
        migrate=f"{_PSQL} -v halfway={shlex.quote(halfway)} -f shop/migrate.sql",
        verify=f"{_PSQL} -f shop/verify.sql",
        rollback=f"{_PSQL} -f shop/rollback.sql",
        verify_rollback=_COMPARE.replace("BEFORE", before),
        prepare_rollback=_RESTORE if backed_up else "",
    )


def backup_plan(postgres: Postgres, hosts: Sequence[str]) -> BackupPlan:
    """A backup of the shop of each host, in the host's home."""
    items = tuple(
        PostgresItem(
            name=f"shop-{host}",
            hosts=host,
            database=database_of(host),
            server=postgres.host,
            port=postgres.port,
            user=postgres.user,
            passfile=str(postgres.passfile),
        )
        for host in hosts
    )
    # By its name it is the same plan in a lab whose PostgreSQL listens on another port.
    return BackupPlan(name="shop", databases=items, directory="backups", min_free_mib=64)
