# shellcheck shell=sh disable=SC2034,SC2154
# The restore test of a dump: into a scratch database, where every table must have the rows that were dumped. Sent behind
# postgres.sh. What keeps the test from being made says nothing of the dump, which is kept as untested.
#
# Settings: SCRATCH LIMIT RESTORE_ON (cluster, server, other) RESTORE_TIMEOUT RESTORE_RESERVE_KIB RESTORE_DIRECTORY
#           ROOM_UNCHECKED (yes, no) and, of another server, TEST_HOST TEST_PORT TEST_USER TEST_PASSFILE TEST_SSLMODE
#           TEST_SSLROOTCERT

bk_cannot() { # REASON: no test of this dump
    untested=$(bk_line "$1")
    bk_warn "untested: ${subject:-}$untested"
    return 1
}

bk_said() { # what a program said last: its errors, or all, in one line
    { grep -i -e error -e fatal "$work/said" || cat "$work/said"; } | head -n 3 | tr '\n' ' '
}

# COMMAND...: at the server where the test is made
bk_at() { (bk_target && exec "$@"); }

bk_target() { # libpq's variables for it
    case $RESTORE_ON in
    cluster) PGHOST=$cluster/socket PGPORT=5432 PGUSER=remotejobs_restore_test PGPASSFILE=$cluster/none ;;
    other) PGHOST=$TEST_HOST PGPORT=$TEST_PORT PGUSER=$TEST_USER PGPASSFILE=$TEST_PASSFILE PGDATABASE=postgres ;;
    *) return 0 ;;
    esac
    unset PGSERVICE PGHOSTADDR PGSSLMODE
    if [ "$RESTORE_ON" = other ]; then
        [ -z "$TEST_SSLMODE" ] || export PGSSLMODE="$TEST_SSLMODE"
        [ -z "$TEST_SSLROOTCERT" ] || export PGSSLROOTCERT="$TEST_SSLROOTCERT"
    fi
    [ -n "$PGUSER" ] || unset PGUSER
    [ -n "$PGPASSFILE" ] || unset PGPASSFILE
    export PGHOST PGPORT
    [ -z "${PGUSER+x}" ] || export PGUSER
    [ -z "${PGPASSFILE+x}" ] || export PGPASSFILE
}

bk_test_preflight() {
    for program in psql createdb dropdb; do
        command -v "$program" >/dev/null || bk_cannot "$program is not installed on this host" || return 0
    done
    bk_sweep_clusters
    case $RESTORE_ON in
    other) bk_sweep_databases bk_at ;;
    *) bk_sweep_databases ;;
    esac
}

# [bk_at]: drop what a dead run left on the server, of this item or of any. A living one says until when it may be there.
bk_sweep_databases() {
    "$@" psql -wqAtX ${maintenance:+-d "$maintenance"} 2>"$work/said" >"$work/left" -c "
        SELECT d.datname FROM pg_catalog.pg_database d
        WHERE d.datname ~ '^remotejobs_restore_[a-z0-9_]+\$' AND pg_catalog.pg_has_role(d.datdba, 'USAGE') AND (
            CAST(substring(pg_catalog.shobj_description(d.oid, 'pg_database') FROM 'over by ([0-9]+)\$') AS bigint)
                < extract(epoch FROM now())
            OR d.datname = '$SCRATCH' AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datname = d.datname))" ||
        { echo "what dead runs left on the server cannot be listed: $(bk_said)" && return 0; }
    while read -r left_over; do
        echo "dropping $left_over, which a dead run left"
        bk_drop "$left_over" "$@" || echo "$left_over cannot be dropped: $(bk_said)"
    done <"$work/left"
}

bk_drop() { # DATABASE [bk_at]
    database=$1
    shift
    "$@" psql -wqAtX ${maintenance:+-d "$maintenance"} -c "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
        WHERE datname = '$database'" </dev/null >/dev/null 2>&1
    "$@" dropdb -w --if-exists "$database" </dev/null 2>"$work/said"
}

bk_scratch_away() { # in any case, and however it ended
    [ -z "$worker" ] || kill "$worker" 2>/dev/null
    [ -z "$guard" ] || kill "$guard" 2>/dev/null
    [ -z "$to_drop" ] || bk_drop "$SCRATCH" bk_at || echo "the database $SCRATCH could not be dropped: $(bk_said)" >&2
    [ -z "$cluster" ] || bk_cluster_down "$cluster"
    [ -z "${unpacked:-}" ] || rm -rf "$unpacked"
    to_drop='' cluster='' worker='' guard='' unpacked=''
}

bk_restore_test() {
    test_began=$(date +%s)
    if [ -z "$untested" ] && bk_restored && : >"$file.restored" && rm -f "$file.untested"; then
        tested=yes test_seconds=$(($(date +%s) - test_began))
    else
        [ -n "$untested" ] || bk_cannot "the log of the job says why" || :
        bk_mark untested "$untested"
    fi
    bk_scratch_away
    bk_sync .
}

bk_restored() {
    case $KIND in
    postgres) ;;
    *)
        "bk_${KIND}_restored"
        return
        ;;
    esac
    case $RESTORE_ON in
    cluster)
        bk_archive_of "$DIRECTORY/$file" || bk_cannot "$(bk_said)" || return
        bk_say restore "into a throw-away server in $RESTORE_DIRECTORY"
        bk_cluster_up && bk_restore_whole || return
        ;;
    *)
        bk_archive_of "$DIRECTORY/$file" || bk_cannot "$(bk_said)" || return
        bk_say restore "into the scratch database $SCRATCH"
        bk_server_room && bk_restore_scratch || return
        ;;
    esac
    { echo 'SET statement_timeout = 0;' && bk_count_rows; } >"$work/script"
    case $RESTORE_ON in cluster) set -- ;; *) set -- -d "$SCRATCH" ;; esac
    bk_guarded "$work/again" psql -wqAtX -v ON_ERROR_STOP=1 "$@" -f "$work/script" ||
        bk_cannot "the restored rows cannot be counted: $(bk_said)" || return
    bk_ended "$work/again" || bk_cannot "the restored rows cannot be kept in $work: is there room?" || return
    bk_compare
}

# Is there room on the server, and can it be seen? Restored data take their room twice, as the log is written ahead of
# them. They all go to the server's own directory, whatever tablespaces they came from.
bk_server_room() {
    psql -wqAtX -o "$work/size" -c "SELECT pg_catalog.pg_database_size(pg_catalog.current_database()) / 1024" 2>"$work/said" ||
        bk_cannot "the size of the database cannot be read: $(bk_said)" || return
    read -r size <"$work/size"
    bk_server_place || bk_cannot "the server for the test does not answer: $(bk_said)" || return
    if [ -z "$watched" ]; then
        [ "$ROOM_UNCHECKED" = no ] || return 0
        bk_cannot "the free room of that server cannot be seen from this host as this user (it takes a server on this host, \
and pg_read_all_settings); restore_on: cluster needs none of it"
        return
    fi
    bk_enough "$((size * 2))"
}

# -> $watched, where the server keeps its data, and $free; empty where that cannot be seen. A backend that is a process of
# this host shows that the server's directory is one of this host too.
bk_server_place() {
    BACKUP_WORK=$work watched='' place='' free=''
    export BACKUP_WORK
    cat >"$work/script" <<'SQL'
SELECT pg_catalog.pg_backend_pid() AS pid \gset
\setenv BACKUP_BACKEND :pid
\! tr '\000' ' ' <"/proc/$BACKUP_BACKEND/cmdline" >"$BACKUP_WORK/backend"
SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory';
SQL
    : >"$work/backend"
    bk_at psql -wqAtX ${maintenance:+-d "$maintenance"} -v ON_ERROR_STOP=1 -o "$work/place" -f "$work/script" 2>"$work/said" || return
    IFS= read -r place <"$work/place" || :
    case $(cat "$work/backend") in *postgres*) [ -z "$place" ] || watched=$place ;; esac
    [ -z "$watched" ] || free=$(bk_free "$watched" 2>/dev/null)
    [ -n "$free" ] || watched=''
}

bk_enough() { # KIB: is there so much room at $watched, and the reserve?
    [ "$free" -ge "$(($1 + RESTORE_RESERVE_KIB))" ] ||
        bk_cannot "$watched has $free KiB free; the test may need $1, and $RESTORE_RESERVE_KIB KiB stay free"
}

bk_restore_scratch() {
    psql -wqAtX -F ' ' -o "$work/locale" -c "SELECT pg_encoding_to_char(encoding), datcollate, datctype
        FROM pg_catalog.pg_database WHERE datname = current_database()" 2>"$work/said" ||
        bk_cannot "the locale of the database cannot be read: $(bk_said)" || return
    read -r encoding collate ctype <"$work/locale"
    to_drop=1 # before it is there: what createdb began, the server ends, also when createdb is killed
    if ! bk_at createdb -w -T template0 -E "$encoding" --lc-collate="$collate" --lc-ctype="$ctype" "$SCRATCH" 2>"$work/said"; then
        to_drop='' hint=''
        ! grep -q 'permission denied' "$work/said" || hint='give the user CREATEDB, or say restore_on: cluster'
        bk_cannot "$SCRATCH cannot be created: $(bk_said)${hint:+; $hint}"
        return
    fi
    # The first for a later sweep, the second ends what a killed pg_restore began; PostgreSQL 13 does not have it.
    for wish in "COMMENT ON DATABASE $SCRATCH IS 'remotejobs restore test, over by $((began + LIMIT + 900))'" \
        "ALTER DATABASE $SCRATCH SET client_connection_check_interval = '1s'"; do
        bk_at psql -wqAtX -c "$wish" >/dev/null 2>&1
    done
    bk_load "$DIRECTORY/$file" "$SCRATCH" -j "$JOBS" --no-owner --no-privileges --no-tablespaces --no-publications --no-subscriptions ||
        bk_cannot "it cannot be restored there: $(bk_said)"
}

# OUT COMMAND...: at the server of the test. It is ended when the time for the test is over, or the room at $watched.
bk_guarded() {
    out=$1 code=0
    shift
    rm -f "$work/stopped"
    (bk_target && exec "$@") </dev/null >"$out" 2>"$work/said" &
    worker=$!
    bk_guard "$worker" </dev/null >/dev/null 2>&1 &
    guard=$!
    wait "$worker" || code=$?
    kill "$guard" 2>/dev/null
    worker='' guard=''
    cat "$work/said" >&2
    [ ! -e "$work/stopped" ] || cp "$work/stopped" "$work/said"
    return "$code"
}

bk_guard() { # PID
    trap 'kill "$nap" 2>/dev/null; exit' TERM
    while kill -0 "$1"; do
        sleep 1 &
        nap=$!
        wait "$nap"
        now=$(bk_free "${watched:-/}")
        if [ "$(($(date +%s) - test_began))" -ge "$RESTORE_TIMEOUT" ]; then
            echo "it was ended after the $RESTORE_TIMEOUT s of restore_timeout" >"$work/stopped"
        elif [ -n "$watched" ] && [ "${now:-0}" -lt "$RESTORE_RESERVE_KIB" ]; then
            echo "it was ended, as only $now KiB were left free at $watched, and $RESTORE_RESERVE_KIB stay free" >"$work/stopped"
        else
            continue
        fi
        kill "$1"
        return
    done
}

bk_compare() { # the rows of every table, dumped and restored
    bk_differ || return 0
    bad=1
    bk_fail "$differs"
}

bk_differ() { # -> $differs, in words
    # By checksums: not every host has cmp.
    sum_of_rows=$($sha256 <"$work/rows") && [ -n "$sum_of_rows" ] || bk_fail "the rows cannot be compared"
    [ "$sum_of_rows" != "$($sha256 <"$work/again")" ] || return
    different=$(awk 'NR == FNR { rows[$0] = 1; next } !($0 in rows)' "$work/again" "$work/rows" | tr '\n' ' ')
    missing=$(awk 'NR == FNR { rows[$0] = 1; next } !($0 in rows)' "$work/rows" "$work/again" | tr '\n' ' ')
    [ -n "$different$missing" ] || bk_fail "the rows cannot be compared"
    differs="the rows differ: dumped ${different:-nothing more}, restored ${missing:-nothing more}"
}
