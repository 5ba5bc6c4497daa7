#!/bin/sh
# Guess:   a lock_timeout in PGOPTIONS (or by ALTER ROLE ... SET) bounds every client of PostgreSQL: a restore with --clean
#          into a database in use gives up instead of standing in the way of all others.
# Seen:    pg_dump, pg_restore and each plain dump that psql loads begin with SET lock_timeout = 0 (statement_timeout too), and
#          wait for as long as somebody holds the table. Behind the waiting restore, even those who only read get nothing,
#          though the one that holds the table is a reader itself. The exit code is 0 in the end.
# Version: PostgreSQL 15 (Debian 12).
# Matters: one forgotten transaction and a nightly job with "its lock_timeout" stop an application for hours. pg_dump has
#          --lock-wait-timeout; pg_restore has nothing. Only a look into pg_stat_activity from outside ends it.
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
ask 'CREATE TABLE orders (n int)'
"$bin/pg_dump" -Fc -f custom
"$bin/pg_dump" --clean -f plain

mkfifo held
hold() { # MODE: a transaction holds the table in it, until release
    "$bin/psql" -Xq < held > /dev/null &
    exec 3> held
    echo "BEGIN; LOCK TABLE orders IN $1 MODE;" >&3
    until [ "$(ask "SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND granted")" = 1 ]; do sleep 0.1; done
}

release() {
    exec 3>&-
    wait
}

# NAME COMMAND... -> $NAME: how it ended, or that it still waits for a lock after two seconds. It may have half a second.
try() {
    name=$1
    shift
    (PGAPPNAME=$name PGOPTIONS='-c lock_timeout=500' "$@" > "$name.said" 2>&1 && echo 0 > "$name.rc" || echo $? > "$name.rc") 3>&- &
    waits="SELECT now() - query_start > '2 s' FROM pg_stat_activity WHERE application_name = '$name' AND wait_event_type = 'Lock'"
    how='still waits after 2 s'
    until [ "$(ask "$waits")" = t ]; do
        [ ! -s "$name.rc" ] || { how=$(grep -o 'lock timeout' "$name.said" || echo "exit code $(cat "$name.rc")") && break; }
        sleep 0.1
    done
    echo "$name: $how"
    eval "$name=\$how"
}

hold 'ACCESS EXCLUSIVE'
try query "$bin/psql" -Xc 'SELECT * FROM orders'
try dump "$bin/pg_dump" -f /dev/null
release
hold 'ACCESS SHARE'
try restore "$bin/pg_restore" --clean -d postgres custom
try reader "$bin/psql" -Xc 'SELECT * FROM orders'
release
hold 'ACCESS SHARE'
try load "$bin/psql" -Xqf plain
release
echo "exit codes once the table is free: dump $(cat dump.rc), restore $(cat restore.rc), load $(cat load.rc)"
waits='still waits after 2 s'
# shellcheck disable=SC2154 # set by try
[ "$query, $reader" = "lock timeout, lock timeout" ] && [ "$dump, $restore, $load" = "$waits, $waits, $waits" ] &&
    [ "$(cat dump.rc restore.rc load.rc | tr -d '\n')" = 000 ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
