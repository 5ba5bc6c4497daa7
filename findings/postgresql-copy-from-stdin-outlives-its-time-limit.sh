#!/bin/sh
# Guess:   statement_timeout ends every statement that takes longer, and so does pg_cancel_backend; both end a load whose
#          producer has stopped (`producer | psql -c 'COPY orders FROM STDIN'`).
# Seen:    neither does. While the server waits for the next row nothing is cancelled: pg_cancel_backend says t, the
#          session stays "active", and keeps its locks. The error comes with the next row, if one comes. Nor is it idle for
#          idle_in_transaction_session_timeout. Only pg_terminate_backend ends it.
# Version: PostgreSQL 15 (Debian 12).
# Matters: a load over a connection that hangs, below a time limit that somebody set on purpose, holds its table for ever: no
#          ALTER TABLE gets in, and all who come after that wait too. Who ends such jobs has to terminate them.
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
export PGHOST="$work/data" PGUSER=postgres PGDATABASE=postgres

ask() { "$bin/psql" -XqAtc "$1"; }
load() { ask "SELECT $1 FROM pg_stat_activity WHERE application_name = 'load'"; }
ask 'CREATE TABLE orders (n int)'
limits='-c statement_timeout=500 -c idle_in_transaction_session_timeout=500'
query=$(PGOPTIONS=$limits "$bin/psql" -Xc 'SELECT pg_sleep(60)' 2>&1 | grep -o 'statement timeout' || true)
echo "a query with a limit of 0.5 s: $query"

mkfifo rows
PGAPPNAME=load PGOPTIONS=$limits "$bin/psql" -Xqc 'COPY orders FROM STDIN' < rows > said 2>&1 &
exec 3> rows
echo 1 >&3
until [ "$(load "now() - query_start > '2 s'")" = t ] || [ -s said ]; do sleep 0.1; done
late=$(load 'state')
echo "a load with the same limit, its producer silent for 2 s: ${late:-$(cat said)}"
cancelled=$(load 'pg_cancel_backend(pid)')
sleep 1
after=$(load 'state')
echo "pg_cancel_backend: $cancelled; a second later: ${after:-$(cat said)}"
load 'pg_terminate_backend(pid)' > /dev/null
until [ -z "$(load state)" ]; do sleep 0.1; done
exec 3>&-
wait
echo "after pg_terminate_backend: $(sed -n 's/^FATAL: *//p' said)"
if [ "$query, $late, $cancelled, $after" != "statement timeout, active, t, active" ] || ! grep -q 'terminating connection' said; then
    echo "CHANGED: it is not as the header says any more"
    exit 1
fi
