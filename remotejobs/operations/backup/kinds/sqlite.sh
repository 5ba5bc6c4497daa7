# shellcheck shell=sh disable=SC2034,SC2154
# Items of the kind sqlite: PATH, by sqlite3's online backup, which is whole also while others write. Sent behind backup.sh.
#
# Settings: BUSY_TIMEOUT (seconds)

bk_sqlite_need() {
    bk_need sqlite3
    bk_version sqlite3 "$(sqlite3 -version | cut -d ' ' -f 1)"
}

bk_sqlite_dump() {
    bk_home "$1"
    # sqlite3 makes an empty database where there is none, and says nothing.
    [ -s "$path" ] || bk_fail "$path is not there, or is empty"
    [ "$(head -c 15 "$path")" = 'SQLite format 3' ] || bk_fail "$path is no SQLite database"
    ran="sqlite3 -readonly $path .backup"
    # Within a transaction that has read something. Otherwise sqlite3 (seen with 3.40.1) begins anew whenever somebody has
    # written: beside one who goes on writing the copy would never end, or end as "locked".
    sqlite3 -readonly -bail -cmd ".timeout $((BUSY_TIMEOUT * 1000))" -cmd 'BEGIN' \
        -cmd 'SELECT count(*) FROM sqlite_master' "$path" ".backup main '$part'" >"$work/said" ||
        bk_fail "sqlite3 ended with $?"
}

bk_sqlite_check() {
    bk_sqlite_whole "$part" || bk_fail "its integrity_check says: $(bk_said)"
    bk_check_passed 'PRAGMA integrity_check: ok'
    bk_sqlite_rows "$part" >"$work/rows" 2>"$work/said" && counted=yes || echo "its rows cannot be counted: $(bk_said)"
}

bk_sqlite_at() { # FILE SQL: nothing is written beside it, as sqlite3 does where a database has a write-ahead log
    sqlite3 -readonly -bail "file:$1?immutable=1" "$2"
}

bk_sqlite_whole() { # FILE
    bk_sqlite_at "$1" 'PRAGMA integrity_check' >"$work/said" 2>&1 && [ "$(cat "$work/said")" = ok ]
}

bk_sqlite_rows() { # FILE -> lines `table|rows`
    bk_sqlite_at "$1" "SELECT 'SELECT ' || quote(name) || ' || ''|'' || count(*) FROM \"' || replace(name, '\"', '\"\"') || '\";'
        FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name" >"$work/count" &&
        bk_sqlite_at "$1" "$(cat "$work/count")"
}
