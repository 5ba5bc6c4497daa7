#!/bin/sh
# Guess:   a client of PostgreSQL takes what is in the environment: PGAPPNAME is its name in pg_stat_activity, PGOPTIONS holds
#          settings of its session (lock_timeout, statement_timeout, client_connection_check_interval).
# Seen:    libpq does, and so do psycopg and psql. asyncpg speaks the protocol itself: it takes PGHOST, PGPORT, PGUSER, PGDATABASE
#          and PGPASSWORD, and neither of those two. No error is raised.
# Version: asyncpg 0.31.0, psycopg 3.2.13, PostgreSQL 15 (Debian 12).
# Matters: whoever sets a lock_timeout for a migration by PGOPTIONS has none, as soon as Alembic runs over asyncpg. And whoever asks the
#          server by name whether the backend of a killed migration is gone is told that none is there while it works.
set -eu
work=$(mktemp -d)
chmod 755 "$work"
for bin in /usr/lib/postgresql/*/bin; do :; done
owner=$(id -un)
[ "$owner" != root ] || owner=postgres
as_owner() { if [ "$(id -un)" = "$owner" ]; then "$@"; else setpriv --reuid="$owner" --regid="$owner" --clear-groups -- "$@"; fi; }
# shellcheck disable=SC2329 # by trap
clean_up() {
    as_owner "$bin/pg_ctl" -D "$work/data" stop -m immediate > /dev/null 2>&1
    rm -rf "$work"
}
trap clean_up EXIT
cd "$work"
"$bin/postgres" -V
install -d -o "$owner" data
as_owner "$bin/initdb" -D data -A trust -U postgres > /dev/null
as_owner "$bin/pg_ctl" -w -D data -l data/log -o "-c listen_addresses= -c unix_socket_directories=$work/data" start > /dev/null
export PGHOST="$work/data" PGUSER=postgres PGDATABASE=postgres PGAPPNAME=migration PGOPTIONS='-c lock_timeout=1234'
python3 -m venv venv
venv/bin/pip -q install asyncpg==0.31.0 'psycopg[binary]==3.2.13'

query="SELECT coalesce(nullif(current_setting('application_name'), ''), 'no name') || ', lock_timeout ' || current_setting('lock_timeout')"
by_psql=$("$bin/psql" -XqAtc "$query")
by_psycopg=$(venv/bin/python -c 'import psycopg, sys; print(psycopg.connect("").execute(sys.argv[1]).fetchone()[0])' "$query")
by_asyncpg=$(
    venv/bin/python - "$query" << 'END'
import asyncio, sys
import asyncpg

async def ask():
    connection = await asyncpg.connect()
    print(await connection.fetchval(sys.argv[1]))
    await connection.close()

asyncio.run(ask())
END
)
echo "psql:    $by_psql"
echo "psycopg: $by_psycopg"
echo "asyncpg: $by_asyncpg"
if [ "$by_psql, $by_psycopg" != "migration, lock_timeout 1234ms, migration, lock_timeout 1234ms" ] ||
    [ "$by_asyncpg" != "no name, lock_timeout 0" ]; then
    echo "CHANGED: it is not as the header says any more"
    exit 1
fi
