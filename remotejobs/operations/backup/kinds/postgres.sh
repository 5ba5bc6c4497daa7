# shellcheck shell=sh disable=SC2034,SC2154
# Items of the kind postgres. Sent behind backup.sh. libpq's variables (PGHOST, PGDATABASE, ...) say which database.
#
# Settings: FORMAT (custom, directory, plain) JOBS PG_OPTIONS (words for the shell) EXCLUDED (words: patterns of tables whose
#           rows are left out) LOCK_TIMEOUT (milliseconds, or '')

bk_postgres_need() {
    bk_need pg_dump pg_restore
    case $FORMAT in
    directory) bk_need tar ;;
    plain) bk_need gzip psql ;;
    esac
    bk_postgres_service
    # For a restore, which needs to know how much room that takes.
    database_bytes=$(psql -wqAtX -c 'SELECT pg_catalog.pg_database_size(pg_catalog.current_database())' 2>/dev/null) || database_bytes=''
    bk_postgres_excluded
    [ "$RESTORE_TEST" = yes ] || return 0
    bk_test_preflight
}

bk_postgres_service() { # libpq believes a service's dbname more than PGDATABASE
    [ -n "${PGSERVICE:-}" ] || return 0
    bk_need psql
    asked=$(psql -wqAtX -c 'SELECT pg_catalog.current_database()' 2>"$work/said") ||
        bk_fail "the service $PGSERVICE cannot be used: $(bk_said)"
    [ "$asked" = "$PGDATABASE" ] ||
        bk_fail "the service $PGSERVICE leads to the database $asked, and not to $PGDATABASE: take dbname out of pg_service.conf"
}

# shellcheck disable=SC2119,SC2120 # its arguments are set in it
bk_postgres_excluded() { # -> $work/left_out, lines `schema.table`. pg_dump says nothing of a pattern that no table has
    [ -n "$EXCLUDED" ] || return 0
    bk_need psql
    eval "set -- $EXCLUDED"
    : >"$work/left_out"
    for pattern in "$@"; do
        psql -wqAtX -F '|' -c "\\dt $pattern" 2>"$work/said" | awk -F '|' '{ print $1 "." $2 }' >"$work/matched"
        [ -s "$work/matched" ] || bk_warn "exclude_table_data: no table matches $pattern"
        cat "$work/matched" >>"$work/left_out"
    done
}

bk_postgres_dump() {
    to=$part
    case $FORMAT in
    directory) ran="pg_dump -w -Fd -j $JOBS" to=$part.d ;;
    plain) ran='pg_dump -w -Fp -Z6' ;;
    *) ran='pg_dump -w -Fc' ;;
    esac
    ran="$ran${PG_OPTIONS:+ $PG_OPTIONS}${LOCK_TIMEOUT:+ --lock-wait-timeout=$LOCK_TIMEOUT}"
    if [ "$RESTORE_TEST" = no ] || [ -n "$untested" ] || ! bk_dump_and_count; then
        code=0
        eval "$ran -f \"\$to\"" 2>"$work/said" || code=$?
        cat "$work/said" >&2
        [ "$code" -eq 0 ] || bk_fail "pg_dump ended with $code: $(bk_said)"
    fi
    [ "$FORMAT" != directory ] || bk_postgres_pack
}

bk_postgres_pack() { # the directory was read to its end; what is packed has to be the same
    toc=$(pg_restore --list "$to") || bk_fail "pg_restore cannot read its table of contents"
    pg_restore -f /dev/null "$to" || bk_fail "pg_restore cannot read its data"
    (cd "$to" && exec tar -cf - .) >"$part" || bk_fail "tar ended with $?"
    entries=$(($(find "$to" | wc -l)))
}

# The rows are counted in the very snapshot that pg_dump reads: psql holds it open and runs pg_dump meanwhile. Where they
# cannot be counted, nothing is dumped either, and there is no restore test.
bk_dump_and_count() {
    BACKUP_WORK=$work BACKUP_TO=$to BACKUP_DUMP=$ran
    export BACKUP_WORK BACKUP_TO BACKUP_DUMP
    {
        echo 'SET statement_timeout = 0;'
        [ -z "$LOCK_TIMEOUT" ] || echo "SET lock_timeout = $LOCK_TIMEOUT;"
        echo 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;'
        echo 'SELECT pg_export_snapshot() AS snapshot \gset'
        echo '\setenv BACKUP_SNAPSHOT :snapshot'
        bk_count_rows
        # shellcheck disable=SC2016 # for the shell that psql starts
        echo '\! : >"$BACKUP_WORK/dumping"; eval "$BACKUP_DUMP --snapshot=\$BACKUP_SNAPSHOT -f \"\$BACKUP_TO\"" && : >"$BACKUP_WORK/dumped"'
    } >"$work/script"
    code=0
    psql -wqAtX -v ON_ERROR_STOP=1 -o "$work/rows" -f "$work/script" 2>"$work/said" || code=$?
    cat "$work/said" >&2
    if [ -e "$work/dumped" ] && [ "$code" -eq 0 ]; then
        bk_ended "$work/rows" && bk_without_rows && counted=yes ||
            bk_cannot "the counted rows cannot be kept in $work: is there room?" || :
        return 0
    fi
    [ ! -e "$work/dumping" ] || [ -e "$work/dumped" ] || bk_fail "pg_dump failed: $(bk_said)"
    [ ! -e "$work/dumped" ] || bk_fail "psql ended with $code"
    bk_cannot "the rows cannot be counted: $(bk_said)"
}

bk_without_rows() { # of tables whose rows are left out, none are saved
    [ -s "$work/left_out" ] || return 0
    awk 'NR == FNR { gone[$0] = 1; next } { name = $0; sub(/[|][0-9]+$/, "", name); print (name in gone ? name "|0" : $0) }' \
        "$work/left_out" "$work/rows" >"$work/rows.saved" && mv "$work/rows.saved" "$work/rows"
}

bk_postgres_read() { pg_restore -f /dev/null; }

bk_postgres_check() {
    case $FORMAT in
    directory) bk_postgres_packed ;;
    plain)
        bk_plain_whole "$part" || bk_fail "$why"
        toc=$(gzip -dc "$part" 2>/dev/null | sed -n 's/^-- Dumped /; Dumped /p' | sed 's/version /version: /' | head -n 2)
        bk_check_passed 'its last line is there'
        ;;
    *)
        toc=$(pg_restore --list "$part") || bk_fail "pg_restore cannot read its table of contents"
        # The list says nothing of the data; reading all of it does.
        bk_read_by bk_postgres_read || bk_fail "pg_restore cannot read its data"
        ;;
    esac
    bk_version server "$(printf '%s\n' "$toc" | sed -n 's/^; *Dumped from database version: //p')"
    bk_version pg_dump "$(printf '%s\n' "$toc" | sed -n 's/^; *Dumped by pg_dump version: //p')"
    [ "$FORMAT" != plain ] || return 0
    bk_check_passed 'pg_restore --list'
    bk_check_passed 'pg_restore: all data read'
}

bk_postgres_packed() {
    listed=$(($(tar -tf "$part" | wc -l)))
    [ "$listed" -eq "$entries" ] || bk_fail "$listed of its $entries files are packed"
    ! tar --version 2>/dev/null | grep -q 'GNU tar' || tar -C "$part.d" -df "$part" || bk_fail "what is packed differs from what was dumped"
    entries='' # those are no entries of a person
    rm -rf "$part.d"
}
