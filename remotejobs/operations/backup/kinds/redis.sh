# shellcheck shell=sh disable=SC2034,SC2154
# Items of the kind redis: what its server saves (RDB), by redis-cli. Sent behind backup.sh and the restore test.
#
# Settings: REDIS_SERVER (a host, or the path of a socket) REDIS_PORT REDIS_USER REDIS_PASSFILE (its first line is the password)

redis_run() { # WORD...: an error of the server is an exit code with -e alone
    [ -z "$REDIS_USER" ] || set -- --user "$REDIS_USER" "$@"
    case $REDIS_SERVER in
    /*) set -- -s "$REDIS_SERVER" "$@" ;;
    *) set -- -h "$REDIS_SERVER" -p "$REDIS_PORT" "$@" ;;
    esac
    if [ -z "$redis_password" ]; then
        redis-cli -e --no-auth-warning "$@"
    else
        REDISCLI_AUTH=$redis_password redis-cli -e --no-auth-warning "$@" # neither a list of processes nor a hook sees it
    fi
}

bk_redis_need() {
    bk_need redis-cli redis-check-rdb
    redis_password=''
    if [ -n "$REDIS_PASSFILE" ]; then
        IFS= read -r redis_password <"$REDIS_PASSFILE" || [ -n "$redis_password" ] || bk_fail "$REDIS_PASSFILE cannot be read"
    fi
    redis_run INFO server >"$work/said" 2>&1 || bk_fail "the server does not answer: $(bk_said)"
    bk_version redis "$(sed -n 's/^redis_version:\([^ ]*\).*/\1/p' "$work/said" | tr -d '\r')"
    [ "$RESTORE_TEST" = no ] || bk_sweep_clusters
}

bk_redis_dump() { # the server forks and saves, as for BGSAVE, and what it saved comes over its connection
    ran='redis-cli -e --rdb'
    redis_run --rdb "$part" >"$work/said" 2>&1 || bk_fail "redis-cli ended with $?: $(bk_said)"
}

bk_redis_check() {
    redis_whole "$part" || bk_fail "$why"
    bk_check_passed "redis-check-rdb: $entries keys"
}

redis_whole() { # FILE -> $entries, its keys, or $why
    why=''
    [ "$(head -c 5 "$1")" = REDIS ] || { why='it is no RDB file' && return 1; }
    redis-check-rdb "$1" >"$work/said" 2>&1 || { why="redis-check-rdb: $(tail -n 1 "$work/said")" && return 1; }
    entries=$(sed -n 's/.*\] *\([0-9][0-9]*\) keys read.*/\1/p' "$work/said")
    [ -n "$entries" ] || { why='redis-check-rdb does not say how many keys it has' && return 1; }
}

bk_redis_restored() {
    command -v redis-server >/dev/null || bk_cannot "redis-server is not installed on this host" || return
    bk_say restore "into a throw-away server in $RESTORE_DIRECTORY"
    bk_home "$RESTORE_DIRECTORY"
    RESTORE_DIRECTORY=$path watched=$path
    free=$(bk_free "$watched" 2>/dev/null)
    [ -n "$free" ] || bk_cannot "restore_directory $watched is not there" || return
    bk_enough "$((bytes / 1024))" || return
    cluster=$(mktemp -d "$watched/rj_restore_XXXXXX") || bk_cannot "nothing can be made in restore_directory $watched" || return
    [ "${#cluster}" -le 85 ] || bk_cannot "restore_directory $watched: a socket's path has at most 107 bytes" || return
    bk_self >"$cluster/run"
    { mkdir "$cluster/data" && cp "$file" "$cluster/data/dump.rdb"; } || bk_cannot "nothing can be written to $cluster" || return
    # It serves nobody but this shell, and saves nothing.
    redis-server --port 0 --unixsocket "$cluster/s" --unixsocketperm 700 --dir "$cluster/data" --dbfilename dump.rdb --save '' \
        --appendonly no --daemonize no --logfile "$cluster/data/log" --pidfile "$cluster/data/redis.pid" </dev/null >/dev/null 2>&1 &
    worker=$!
    until [ "$(redis-cli -s "$cluster/s" PING 2>/dev/null)" = PONG ]; do
        kill -0 "$worker" 2>/dev/null && [ "$(($(date +%s) - test_began))" -lt "$RESTORE_TIMEOUT" ] ||
            { tail -n 3 "$cluster/data/log" >"$work/said" && bk_cannot "a server does not load it: $(bk_said)"; } || return
        sleep 0.2 2>/dev/null || sleep 1
    done
    loaded=$(sed -n 's/.*keys loaded: \([0-9]*\), keys expired: \([0-9]*\).*/\1 \2/p' "$cluster/data/log" | tail -n 1)
    [ -n "$loaded" ] || bk_cannot "the server does not say how many keys it loaded" || return
    if [ "$((${loaded% *} + ${loaded#* }))" -ne "$entries" ]; then
        bad=1
        bk_fail "${loaded% *} keys were loaded and ${loaded#* } had expired, of $entries that were saved"
    fi
    redis-cli -s "$cluster/s" INFO keyspace | tr -d '\r' | sed -n 's/^\(db[0-9]*\):keys=\([0-9]*\).*/\1|\2/p' >"$work/rows"
    counted=yes
}
