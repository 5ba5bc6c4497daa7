# shellcheck shell=sh disable=SC2034,SC2154
# Items of the kind postgres. Sent behind backup.sh. libpq's variables (PGHOST, PGDATABASE, ...) say which database.

bk_postgres_need() {
    bk_need pg_dump pg_restore
    # For a restore, which needs to know how much room that takes.
    database_bytes=$(psql -wqAtX -c 'SELECT pg_catalog.pg_database_size(pg_catalog.current_database())' 2>/dev/null) || database_bytes=''
    [ "$RESTORE_TEST" = yes ] || return 0
    bk_test_preflight
}

bk_postgres_dump() {
    ran='pg_dump -w -Fc'
    if [ "$RESTORE_TEST" = no ] || [ -n "$untested" ] || ! bk_dump_and_count; then
        pg_dump -w -Fc -f "$part" || bk_fail "pg_dump ended with $?"
    fi
}

# The rows are counted in the very snapshot that pg_dump reads: psql holds it open and runs pg_dump meanwhile. Where they
# cannot be counted, nothing is dumped either, and there is no restore test.
bk_dump_and_count() {
    BACKUP_WORK=$work BACKUP_PART=$part
    export BACKUP_WORK BACKUP_PART
    {
        echo 'SET statement_timeout = 0;'
        echo 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;'
        echo 'SELECT pg_export_snapshot() AS snapshot \gset'
        echo '\setenv BACKUP_SNAPSHOT :snapshot'
        bk_count_rows
        # shellcheck disable=SC2016 # for the shell that psql starts
        echo '\! : >"$BACKUP_WORK/dumping"; pg_dump -w -Fc -f "$BACKUP_PART" --snapshot="$BACKUP_SNAPSHOT" && : >"$BACKUP_WORK/dumped"'
    } >"$work/script"
    code=0
    psql -wqAtX -v ON_ERROR_STOP=1 -o "$work/rows" -f "$work/script" 2>"$work/said" || code=$?
    cat "$work/said" >&2
    if [ -e "$work/dumped" ] && [ "$code" -eq 0 ]; then
        bk_ended "$work/rows" && counted=yes || bk_cannot "the counted rows cannot be kept in $work: is there room?" || :
        return 0
    fi
    [ ! -e "$work/dumping" ] || [ -e "$work/dumped" ] || bk_fail "pg_dump failed"
    [ ! -e "$work/dumped" ] || bk_fail "psql ended with $code"
    bk_cannot "the rows cannot be counted: $(bk_said)"
}

bk_ended() { # FILE: was it written to its end? Not all psqls see a full disk. The line that shows it is taken away
    [ "$(tail -n 1 "$1")" = end ] && sed '$d' "$1" >"$1.whole" && mv "$1.whole" "$1"
}

# psql's text, of what bk_ended reads: one line `schema.table|rows` for each table that a dump holds. What belongs to an extension is not in it.
bk_count_rows() {
    cat <<'SQL'
SELECT format('SELECT %L, count(*) FROM ONLY %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C" \gexec
\qecho end
SQL
}

bk_postgres_read() { pg_restore -f /dev/null; }

bk_postgres_check() {
    toc=$(pg_restore --list "$part") || bk_fail "pg_restore cannot read its table of contents"
    # The list says nothing of the data; reading all of it does.
    bk_read_by bk_postgres_read || bk_fail "pg_restore cannot read its data"
    bk_version server "$(printf '%s\n' "$toc" | sed -n 's/^; *Dumped from database version: //p')"
    bk_version pg_dump "$(printf '%s\n' "$toc" | sed -n 's/^; *Dumped by pg_dump version: //p')"
    bk_check_passed 'pg_restore --list'
    bk_check_passed 'pg_restore: all data read'
}
