# shellcheck shell=sh disable=SC2034,SC2154
# Restores a database of MariaDB or MySQL. No statement renames a database there, so one that is not empty is never
# replaced; while it is restored the new one holds the table remotejobs_restoring. Sent behind restore.sh.

rs_mariadb_need() {
    my_programs
    bk_need gzip
    quoted=$(my_name "$TARGET")
    my_ask 'SELECT 1' >/dev/null || bk_fail "the server does not answer: $(bk_said)"
    there=$(my_inside "$TARGET") || bk_fail "it is not known what $TARGET holds: $(bk_said)"
    left=$(my_ask "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = $(my_text "$TARGET")
        AND table_name = 'remotejobs_restoring'")
    used=$(my_ask "SELECT COUNT(*) FROM information_schema.processlist WHERE db = $(my_text "$TARGET")")
    if [ "$left" = 1 ] && [ "$used" != 0 ]; then # it may come from another host
        bk_fail "the database $TARGET is being restored, or was until now: $used sessions use it. Try again when that is over"
    elif [ "$left" = 1 ]; then
        echo "dropping $TARGET, which a restore left that did not end"
        my_ask "DROP DATABASE $quoted" || bk_fail "$TARGET cannot be dropped: $(bk_said)"
    elif [ "$there" != 0 ]; then
        bk_fail "the database $TARGET is not empty, and nothing renames a database here: restore to another name"
    fi
}

rs_mariadb() {
    # shellcheck disable=SC2016 # a name in SQL
    my_ask "CREATE DATABASE IF NOT EXISTS $quoted CHARACTER SET utf8mb4; CREATE TABLE $quoted.remotejobs_restoring (a INT)" ||
        bk_fail "the database cannot be made: $(bk_said)"
    my_half=yes
    { { gzip -dc "$DIRECTORY/$FILE" || : >"$work/cut"; } | my_run "$my_client" --default-character-set=utf8mb4 "$TARGET"; } 2>"$work/said" ||
        bk_fail "it cannot be restored there: $(bk_said)"
    [ ! -e "$work/cut" ] || bk_fail "$FILE cannot be read: $(bk_said)"
    bk_say count "the rows of every table"
    my_rows "$TARGET" >"$work/counted" || bk_fail "the restored rows cannot be counted: $(bk_said)"
    bk_joined <"$work/counted" >"$work/again"
    bk_recorded_rows "$FILE" >"$work/rows"
    if [ -s "$work/rows" ]; then bk_compare; else echo "no rows were recorded with this backup; there is nothing to compare"; fi
    said=$(bk_recorded entries "$FILE")
    found=$(($(wc -l <"$work/again")))
    [ -z "$said" ] || [ "$found" -eq "$said" ] || bk_fail "$found tables were restored, and $said were saved"
    counts=$(awk -F '|' '{ rows += $NF } END { print NR + 0 " tables, " rows + 0 " rows" }' "$work/again")
    my_ask "DROP TABLE $quoted.remotejobs_restoring" || bk_fail "$(bk_said)"
    my_half=''
}

rs_mariadb_away() { # half a database
    [ -z "${my_half:-}" ] || my_ask "DROP DATABASE $quoted" || echo "the database $TARGET is half restored: $(bk_said)" >&2
    my_half=''
}
