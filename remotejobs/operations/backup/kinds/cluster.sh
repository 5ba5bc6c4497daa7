# shellcheck shell=sh disable=SC2034,SC2154
# A throw-away PostgreSQL server for the restore test: it takes nothing from the one that was dumped but its roles, and
# what is restored into it is restored with owners and rights. Sent behind restore_test.sh.
#
# RESTORE_DIRECTORY/rj_restore_XXXXXX/
#   run      the shell that made it: boot id, pid namespace, pid and birth. What is left of a dead one is removed
#   data     the server's
#   socket   the only way to it, for its own user and root

bk_cluster_up() { # [MAJOR KIB]: of which version and for how much, where no server is to be asked
    bk_programs "${1:-}" || return
    bk_home "$RESTORE_DIRECTORY"
    RESTORE_DIRECTORY=$path watched=$path
    size=${2:-}
    [ -n "$size" ] || bk_cluster_size || return
    free=$(bk_free "$watched" 2>/dev/null)
    [ -n "$free" ] || bk_cannot "restore_directory $watched is not there" || return
    bk_enough "$((size * 5 / 4 + 192 * 1024))" || return # new, it takes 39 MiB, and its log up to 128
    bk_cluster_user || return
    cluster=$(mktemp -d "$watched/rj_restore_XXXXXX") || bk_cannot "nothing can be made in restore_directory $watched" || return
    [ "${#cluster}" -le 85 ] || bk_cannot "restore_directory $watched: a socket's path has at most 107 bytes" || return
    bk_self >"$cluster/run"
    bk_cluster_made >"$work/said" 2>&1 || bk_cannot "the throw-away server does not start: $(bk_said)"
}

bk_cluster_size() { # -> $size
    psql -wqAtX -o "$work/size" -c "SELECT pg_catalog.pg_database_size(pg_catalog.current_database()) / 1024" 2>"$work/said" ||
        bk_cannot "the size of the database cannot be read: $(bk_said)" || return
    read -r size <"$work/size"
}

bk_cluster_made() {
    mkdir "$cluster/data" "$cluster/socket" || return
    if [ -n "$as" ]; then
        chmod 711 "$cluster" && chown "$as" "$cluster/data" "$cluster/socket" || return
    fi
    bk_as "$bin/initdb" -N -D "$cluster/data" -U remotejobs_restore_test -A trust -E UTF8 --locale=C || return
    # It may lose all it has; so it need not write everything twice.
    cat >>"$cluster/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$cluster/socket'
unix_socket_permissions = 0700
port = 5432
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = '128MB'
autovacuum = off
max_connections = 20
CONF
    bk_as "$bin/pg_ctl" -D "$cluster/data" -l "$cluster/data/log" -w -t 120 start && return
    tail -n 5 "$cluster/data/log"
    return 1
}

bk_restore_whole() { # under its own name, with its owners and rights
    set -- --no-subscriptions --no-tablespaces
    if [ -n "${GLOBALS:-}" ]; then # those that were saved with it, as a restore elsewhere has no others
        bk_load_globals "$GLOBALS" || return
    elif [ "${ROLES:-yes}" = no ] || ! { pg_dumpall -w --roles-only --no-role-passwords >"$work/roles" &&
        bk_guarded /dev/null psql -wqX -d template1 -v ON_ERROR_STOP=1 -f "$work/roles"; }; then
        echo "there are no roles to be had: restoring without owners and rights"
        set -- "$@" --no-owner --no-privileges
    fi
    bk_at dropdb -w --maintenance-db=template1 postgres 2>"$work/said" || bk_cannot "$(bk_said)" || return
    if [ -n "$archive" ]; then
        bk_load "$DIRECTORY/$file" template1 --create "$@"
    else # it says all but how its database is made
        bk_at createdb -w --maintenance-db=template1 -T template0 -E UTF8 "$PGDATABASE" 2>"$work/said" && bk_load "$DIRECTORY/$file" ''
    fi || bk_cannot "it cannot be restored there: $(bk_said)"
}

bk_programs() { # MAJOR (or '') -> $bin, where a server is that is no older than the one that was dumped
    major=$1
    if [ -z "$major" ]; then
        psql -wqAtX -o "$work/version" -c "SELECT pg_catalog.current_setting('server_version_num')::int / 10000" 2>"$work/said" ||
            bk_cannot "the version of the server cannot be read: $(bk_said)" || return
        read -r major <"$work/version"
    fi
    for version in "$major" $((major + 1)) $((major + 2)) $((major + 3)) $((major + 4)); do
        for at in "/usr/lib/postgresql/$version/bin" "/usr/pgsql-$version/bin" "/usr/libexec/postgresql$version" \
            "/usr/local/opt/postgresql@$version/bin"; do
            bin=$at # in yash the loop's own variable is gone after the return
            [ ! -x "$bin/initdb" ] || return 0
        done
    done
    bin=$(command -v initdb) && bin=${bin%/*}
    found=$(initdb --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    [ "${found:-0}" -ge "$major" ] ||
        bk_cannot "this host has no initdb of PostgreSQL $major or newer for restore_on: cluster (install the server's \
package, without starting it, or let restore_on name another server)"
}

# -> $as: PostgreSQL refuses to run as root. Functions of the database run here as its superuser, which may start programs:
# they run as the user nobody, not as the one to whom the real server's files belong.
bk_cluster_user() {
    as=''
    [ "$(id -u)" -eq 0 ] || return 0
    as=nobody
    id -u "$as" >/dev/null 2>&1 || bk_cannot "PostgreSQL does not run as root, and this host has no user nobody"
}

bk_as() { # COMMAND...
    (
        cd / || exit
        unset PGDATA PGOPTIONS
        [ -n "$as" ] || exec "$@"
        group=$(id -g "$as")
        if setpriv --reuid="$as" --regid="$group" --clear-groups true 2>/dev/null; then
            exec setpriv --reuid="$as" --regid="$group" --clear-groups "$@"
        fi
        # shellcheck disable=SC2016 # for the shell that su starts
        exec su -s /bin/sh "$as" -c 'exec "$@"' sh "$@"
    ) </dev/null
}

bk_cluster_down() { # DIRECTORY: what is there need not be kept, and so need not be stopped in order
    pid='' signal=KILL
    for each in postmaster mariadb redis; do
        [ -n "$pid" ] || pid=$(sed -n 1p "$1/data/$each.pid" 2>/dev/null)
    done
    [ ! -e "$1/data/postmaster.pid" ] || signal=QUIT # its children end with it
    if [ -n "$pid" ] && bk_is_cluster "$pid" "$1" && kill "-$signal" "$pid" 2>/dev/null; then
        tries=0
        while [ "$tries" -lt 300 ] && bk_is_cluster "$pid" "$1"; do
            sleep 0.1 2>/dev/null || sleep 1
            tries=$((tries + 1))
        done
    fi
    rm -rf "$1" || echo "$1 could not be removed" >&2
}

bk_is_cluster() { # PID DIRECTORY: is this the server of that directory, and not a later process of that number?
    if [ -d /proc/self ]; then
        case $({ tr '\000' ' ' <"/proc/$1/cmdline"; } 2>/dev/null) in *"$2/"*) return 0 ;; esac
        return 1
    fi
    kill -0 "$1" 2>/dev/null
}

bk_self() { # what identifies this shell, in a line
    echo "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo -) $(readlink /proc/self/ns/pid || echo -) $$ $(bk_born $$)"
}

bk_born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; } # PID

bk_is_dead() { # DIRECTORY: of this user, by a run that is no more; one of another pid namespace cannot be checked here
    # shellcheck disable=SC3067 # dash, bash, busybox, mksh and yash all have -O
    if [ ! -d "$1" ] || [ -h "$1" ] || [ ! -O "$1" ]; then return 1; fi
    [ -s "$work/self" ] || bk_self >"$work/self"
    read -r my_boot my_world _ <"$work/self"
    read -r boot world pid born 2>/dev/null <"$1/run" || return
    [ "$boot" = "$my_boot" ] || return 0
    [ "$world" = "$my_world" ] || return
    ! kill -0 "$pid" 2>/dev/null || [ "$(bk_born "$pid")" != "$born" ]
}

bk_sweep_clusters() { # remove what dead runs of this user left
    bk_home "$RESTORE_DIRECTORY"
    for left_over in "$path"/rj_restore_??????; do
        bk_is_dead "$left_over" || continue
        echo "removing $left_over, which a dead run left"
        bk_cluster_down "$left_over"
    done
}
