# shellcheck shell=sh disable=SC2034,SC2154
# Items of the kind mariadb: one database of MariaDB or MySQL, as SQL. Sent behind backup.sh and the restore test.
#
# Settings: MY_DATABASE MY_SERVER (a host, the path of a socket, or '': the default socket) MY_PORT MY_USER MY_PASSFILE (an option file)

my_programs() { # -> $my_client, $my_dump
    my_client='' my_dump=''
    for program in mariadb mysql; do
        [ -n "$my_client" ] || ! command -v "$program" >/dev/null || my_client=$program
    done
    for program in mariadb-dump mysqldump; do
        [ -n "$my_dump" ] || ! command -v "$program" >/dev/null || my_dump=$program
    done
    [ -n "$my_client" ] || bk_fail "mariadb (or mysql) is not installed on this host"
}

my_run() { # PROGRAM WORD...: at the server
    my_program=$1
    shift
    [ -z "$MY_USER" ] || set -- --user="$MY_USER" "$@"
    case $MY_SERVER in
    '') ;;
    /*) set -- --socket="$MY_SERVER" "$@" ;;
    *) set -- --protocol=TCP --host="$MY_SERVER" --port="$MY_PORT" "$@" ;;
    esac
    [ -z "$MY_PASSFILE" ] || set -- --defaults-extra-file="$MY_PASSFILE" "$@" # it has to be the first
    "$my_program" "$@"
}

my_ask() { my_run "$my_client" -BN --default-character-set=utf8mb4 -e "$1" 2>"$work/said"; } # SQL

my_ask_from() { my_run "$my_client" -BN --default-character-set=utf8mb4 <"$1" 2>"$work/said"; } # FILE: of SQL, which may be longer than an argument

my_text() { printf "'%s'" "$(printf '%s' "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/''/g")"; } # NAME as a text of SQL

# shellcheck disable=SC2016 # they quote names in SQL
my_name() { printf '`%s`' "$(printf '%s' "$1" | sed 's/`/``/g')"; } # NAME as a name of SQL

bk_mariadb_need() {
    my_programs
    [ -n "$my_dump" ] || bk_fail "mariadb-dump (or mysqldump) is not installed on this host"
    bk_need gzip
    bk_version "$my_dump" "$("$my_dump" --version | sed 's/^[^ ]* *//')"
    schema=$(my_text "$MY_DATABASE")
    version=$(my_ask 'SELECT VERSION()') || bk_fail "the server does not answer: $(bk_said)"
    bk_version server "$version"
    tables=$(my_tables) || bk_fail "the tables of $MY_DATABASE cannot be listed: $(bk_said)"
    database_bytes=$(my_ask "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = $schema")
    case $database_bytes in *[!0-9]*) database_bytes=${database_bytes%%[!0-9]*} ;; esac
    [ "$RESTORE_TEST" = no ] || bk_sweep_clusters
}

my_tables() { my_ask "SELECT COUNT(*) FROM information_schema.tables WHERE table_type IN $my_types AND table_schema = $schema"; }

my_types="('BASE TABLE', 'SYSTEM VERSIONED')" # no views, and no sequences

my_inside() { # DATABASE -> how many tables, views, routines and events it holds
    my_ask "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = $(my_text "$1"))
        + (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = $(my_text "$1"))
        + (SELECT COUNT(*) FROM information_schema.events WHERE event_schema = $(my_text "$1"))"
}

bk_mariadb_dump() {
    # One snapshot for all tables of InnoDB; of others nobody says that they were saved at another moment.
    others=$(my_ask "SELECT table_name FROM information_schema.tables WHERE table_type IN $my_types AND engine <> 'InnoDB'
        AND table_schema = $schema ORDER BY table_name" | head -n 10 | tr '\n' ' ')
    [ -z "$others" ] || bk_warn "these tables have no snapshots, and may be of another moment than the rest: ${others% }"
    set -- --single-transaction --quick --routines --events --triggers --hex-blob --no-tablespaces --default-character-set=utf8mb4
    case $("$my_dump" --help 2>/dev/null) in *set-gtid-purged*) set -- "$@" --set-gtid-purged=OFF ;; esac
    ran="$my_dump $*"
    code=1
    { { my_run "$my_dump" "$@" "$MY_DATABASE" 2>"$work/said" && : >"$work/dumped"; } | gzip >"$part"; } || bk_fail "gzip failed"
    cat "$work/said" >&2
    [ -e "$work/dumped" ] || bk_fail "$my_dump failed: $(bk_said)"
}

bk_mariadb_check() {
    my_whole "$part" || bk_fail "$why"
    now=$(my_tables) || now=$tables
    [ "$now" -ge "$tables" ] || tables=$now
    [ "$entries" -ge "$tables" ] || bk_fail "it has $entries tables, and the database $tables"
    bk_check_passed "its last line is there; $entries tables"
}

my_whole() { # FILE -> $entries, its tables, or $why
    why=''
    # What routines, triggers and events say stands between two lines with DELIMITER.
    gzip -dc "$1" 2>"$work/said" | awk '
        /^DELIMITER / { inside = $2 == ";;" }
        /^CREATE TABLE / && !inside { tables++ }
        NF { last = $0 }
        END { print tables + 0; print last }' >"$work/seen"
    gzip -t "$1" 2>"$work/said" || { why="gzip cannot read it: $(bk_said)" && return 1; }
    entries=$(sed -n 1p "$work/seen")
    case $(sed -n 2p "$work/seen") in '-- Dump completed'*) return 0 ;; esac
    why='its end is missing'
    return 1
}

# --- the restore test: a throw-away server, of whose tables the rows are counted -------------------------------------

bk_mariadb_restored() {
    bk_say restore "into a throw-away server in $RESTORE_DIRECTORY"
    my_server_up && my_load "$DIRECTORY/$file" || return
    my_count "$work/rows" || bk_cannot "the restored rows cannot be counted: $(bk_said)" || return
    found=$(($(wc -l <"$work/rows")))
    if [ "$found" -ne "$entries" ]; then
        bad=1
        bk_fail "$found tables were restored, and $entries saved"
    fi
    counted=yes
}

my_server_up() {
    for program in mariadb-install-db mariadbd; do
        PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
            bk_cannot "$program is not installed on this host (the package of the server, which need not be started)" || return
    done
    bk_home "$RESTORE_DIRECTORY"
    RESTORE_DIRECTORY=$path watched=$path
    free=$(bk_free "$watched" 2>/dev/null)
    [ -n "$free" ] || bk_cannot "restore_directory $watched is not there" || return
    bk_enough "$((${database_bytes:-0} * 2 / 1024 + 256 * 1024))" || return # new, it takes 130 MiB
    bk_cluster_user || return
    cluster=$(mktemp -d "$watched/rj_restore_XXXXXX") || bk_cannot "nothing can be made in restore_directory $watched" || return
    [ "${#cluster}" -le 85 ] || bk_cannot "restore_directory $watched: a socket's path has at most 107 bytes" || return
    bk_self >"$cluster/run"
    my_server_made >"$work/said" 2>&1 || bk_cannot "the throw-away server does not start: $(bk_said)"
}

my_server_made() {
    mkdir "$cluster/data" "$cluster/socket" || return
    if [ -n "$as" ]; then chmod 711 "$cluster" && chown "$as" "$cluster/data" "$cluster/socket" || return; fi
    PATH=$PATH:/usr/sbin
    export PATH
    bk_as env TMPDIR="$cluster/socket" mariadb-install-db --no-defaults --datadir="$cluster/data" --auth-root-authentication-method=normal --skip-test-db \
        --skip-name-resolve >"$work/install" 2>&1 || { cat "$work/install" && return 1; }
    bk_as env TMPDIR="$cluster/socket" mariadbd --no-defaults --datadir="$cluster/data" --socket="$cluster/socket/s" --pid-file="$cluster/data/mariadb.pid" \
        --skip-networking --skip-log-bin --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=128M --event-scheduler=OFF \
        --log-error="$cluster/data/log" --character-set-server=utf8mb4 >/dev/null 2>&1 &
    tries=0
    until mariadb --no-defaults --socket="$cluster/socket/s" -u root -e 'CREATE DATABASE restored' 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -ge 600 ] || ! kill -0 "$!" 2>/dev/null; then tail -n 5 "$cluster/data/log" && return 1; fi
        sleep 0.2 2>/dev/null || sleep 1
    done
}

my_load() { # FILE
    # shellcheck disable=SC2016 # for the shell that is started
    bk_guarded /dev/null sh -c 'gzip -dc "$1" | mariadb --no-defaults --socket="$2" -u root --default-character-set=utf8mb4 restored' \
        sh "$1" "$cluster/socket/s" || bk_cannot "it cannot be restored there: $(bk_said)"
}

my_count() { # FILE: lines `table|rows` of the restored database
    MY_SERVER=$cluster/socket/s MY_USER=root MY_PASSFILE='' MY_DATABASE=restored
    my_rows restored >"$1"
}

my_rows() { # DATABASE -> lines `table|rows`
    my_ask "SELECT CONCAT('SELECT CONCAT(', QUOTE(CONCAT(table_name, '|')), ', COUNT(*)) FROM \`', REPLACE(table_schema, '\`', '\`\`'), '\`.\`',
        REPLACE(table_name, '\`', '\`\`'), '\`;') FROM information_schema.tables
        WHERE table_type IN $my_types AND table_schema = $(my_text "$1") AND table_name <> 'remotejobs_restoring'
        ORDER BY table_name" >"$work/count" && my_ask_from "$work/count"
}
