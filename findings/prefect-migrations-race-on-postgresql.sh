#!/bin/sh
# Guess:   two `prefect server database upgrade` at once on one new PostgreSQL wait for each other, or the second finds
#          everything done: Alembic runs all migrations in one transaction, and several replicas start together.
# Seen:    there is no lock around them. One of the two ends with 1 and a traceback, of a key or a relation that is already
#          there; the other one migrates. Once all is there, two at once both end with 0.
# Version: Prefect 3.9.1, PostgreSQL 15 (Debian 12), Python 3.11.
# Matters: a Prefect server of several processes upgrades at each start. Units or containers that start together on a new
#          database fail at random: upgrade once, before they start.
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
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install prefect==3.9.1
echo "Prefect $(env/bin/python -c 'import importlib.metadata as m; print(m.version("prefect"))'), $("$bin/postgres" -V)"

install -d -o "$owner" data
as_owner "$bin/initdb" -D data -A trust -U prefect > /dev/null
as_owner "$bin/pg_ctl" -w -D data -l data/log -o "-c listen_addresses= -c unix_socket_directories=$work/data" start > /dev/null

export PREFECT_HOME="$work/home" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1
upgrade() { # DATABASE LOG; its exit code goes to LOG.rc
    PREFECT_API_DATABASE_CONNECTION_URL="postgresql+asyncpg://prefect@/$1?host=$work/data" \
        env/bin/prefect server database upgrade -y > "$2" 2>&1 && echo 0 > "$2.rc" || echo $? > "$2.rc"
}
failed=0
for try in 1 2 3; do
    as_owner "$bin/createdb" -h "$work/data" -U prefect "new$try"
    upgrade "new$try" "a$try" & upgrade "new$try" "b$try" & wait
    echo "new database $try: exit codes $(cat "a$try.rc") and $(cat "b$try.rc"); $(grep -hoEm1 'duplicate key value.*|[a-z]+ "[a-z_]+" already exists' "a$try" "b$try" | head -n 1)"
    [ "$(cat "a$try.rc")$(cat "b$try.rc")" = 00 ] || failed=$((failed + 1))
done
upgrade new1 again
upgrade new1 a & upgrade new1 b & wait
echo "the same once migrated: exit codes $(cat a.rc) and $(cat b.rc)"
[ "$failed" -gt 0 ] && [ "$(cat a.rc)$(cat b.rc)" = 00 ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
