# shellcheck shell=sh disable=SC2034,SC2154
# Looks at backups that lie here: checksum, format, and one database in so many is restored into a throw-away server. What
# is damaged is marked so, and counts as a backup nowhere. Sent behind the texts of the backup.
#
# Settings: DIRECTORY ITEM ('' for all) EVERY (0: none is restored) LIMIT RESTORE_TIMEOUT RESTORE_RESERVE_KIB
#           RESTORE_DIRECTORY
#
#   FILE.verified    JSON: when it was last found whole, and whether it was restored then
#   FILE.damaged     what was found wrong with it

vf_main() {
    umask 077
    what=verification step=preflight began=$(date +%s) KIND=verify
    to_drop='' cluster='' worker='' guard='' warnings='' bad='' untested='' made=''
    good=0 damaged=0 restored=0 number=0 day=$(($(date +%s) / 86400)) RESTORE_ON=cluster ROLES=no
    trap vf_leave EXIT
    trap 'exit 143' HUP INT TERM
    work=$(mktemp -d) || bk_fail "no temporary directory"
    if command -v sha256sum >/dev/null; then sha256='sha256sum'; else bk_need shasum && sha256='shasum -a 256'; fi
    bk_home "$DIRECTORY"
    DIRECTORY=$path
    if [ ! -e "$DIRECTORY" ]; then # of many hosts, some have no backups
        echo "there is no directory $DIRECTORY"
        vf_report
        return
    fi
    { cd "$DIRECTORY" && [ -w . ]; } || bk_fail "the directory $DIRECTORY cannot be used"
    bk_sweep_clusters
    bk_say verify "${ITEM:-all} in $DIRECTORY"
    for each in $(vf_files); do # no name has a space in it
        vf_one "$each"
    done
    vf_report
    [ "$damaged" -eq 0 ] || bk_fail "$damaged of $((good + damaged)) backups are damaged; they are marked so"
}

vf_leave() {
    left=$?
    trap - EXIT
    bk_scratch_away
    [ -z "$work" ] || rm -rf "$work"
    exit "$left"
}

vf_files() { # newest first
    for each in *-????????T??????Z.*; do
        case $ITEM in '') ;; *) case $each in "$ITEM"-????????T??????Z.*) ;; *) continue ;; esac ;; esac
        if [ -f "$each" ] && [ -f "$each.sha256" ] && [ ! -f "$each.incomplete" ]; then
            stamp=${each##*-}
            echo "$stamp $each"
        fi
    done | sort -r | cut -d ' ' -f 2
}

vf_one() { # FILE
    file=$1 why='' tested=no untested='' subject="$1: "
    vf_kind
    vf_checksum && vf_format && vf_restore
    [ -f "$file" ] || return 0 # a retention took it meanwhile
    if [ -n "$why" ]; then
        damaged=$((damaged + 1))
        echo "$file: $(bk_line "$why")"
        vf_write damaged "$(bk_line "$why")"
        rm -f "$file.verified"
        return
    fi
    good=$((good + 1))
    rm -f "$file.damaged"
    echo "$file: whole$([ "$tested" = no ] || echo ', and restored')"
    vf_write verified "{\"at\": \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\", \"restored\": $([ "$tested" = yes ] && echo true || echo false)}"
}

vf_write() { # KIND TEXT: whole or not at all
    { printf '%s\n' "$2" >"$file.$1.part" && mv "$file.$1.part" "$file.$1"; } || bk_fail "$file.$1 cannot be written"
}

vf_kind() { # -> $kind
    kind=$(sed -n 's/.*"kind": "\([a-z]*\)".*/\1/p' "$file.json" 2>/dev/null | sed -n 1p)
    [ -z "$kind" ] || return 0
    case $file in *.dump) kind=postgres ;; *.tar | *.tar.gz) kind=files ;; *.sqlite) kind=sqlite ;; *) kind='command' ;; esac
}

vf_checksum() {
    read -r recorded _ <"$file.sha256"
    found=$($sha256 <"$file" 2>"$work/said") || { why="it cannot be read: $(bk_said)" && return 1; }
    [ "${found%% *}" = "$recorded" ] || { why="its sha256 is ${found%% *}, and $recorded was recorded" && return 1; }
    size=$(bk_recorded bytes "$file")
    [ -z "$size" ] || [ "$size" -eq "$(bk_size "$file")" ] || { why="it has not the $size bytes of its record" && return 1; }
}

vf_format() {
    case $kind in
    postgres)
        command -v pg_restore >/dev/null || { bk_warn "$file: pg_restore is not installed: its format is not read" && return 0; }
        pg_restore -f /dev/null "$file" 2>"$work/said" || why="pg_restore cannot read it: $(bk_said)"
        ;;
    files)
        case $file in *gz) tar -tzf "$file" ;; *) tar -tf "$file" ;; esac >"$work/list" 2>"$work/said" ||
            why="tar cannot read it: $(bk_said)"
        entries=$(bk_recorded entries "$file")
        [ -n "$why" ] || [ -z "$entries" ] || [ "$entries" -eq "$(($(wc -l <"$work/list")))" ] ||
            why="it has not the $entries entries of its record"
        ;;
    sqlite)
        command -v sqlite3 >/dev/null || { bk_warn "$file: sqlite3 is not installed: its format is not read" && return 0; }
        bk_sqlite_whole "$file" || why="its integrity_check says: $(bk_said)"
        ;;
    globals)
        tail -n 5 "$file" | grep -q '^-- PostgreSQL database cluster dump complete' || why='its end is missing'
        ;;
    esac
    [ -z "$why" ]
}

vf_restore() { # one database in EVERY, another one each day
    [ "$kind" = postgres ] && [ "$EVERY" -gt 0 ] || return 0
    number=$((number + 1))
    [ "$(((number + day) % EVERY))" -eq 0 ] || return 0
    step=restore test_began=$(date +%s)
    bk_say restore "$file into a throw-away server in $RESTORE_DIRECTORY"
    if vf_restored; then
        bk_recorded_rows "$file" >"$work/rows"
        bk_joined <"$work/counted" >"$work/again"
        if [ ! -s "$work/rows" ]; then
            echo "$file: no rows were recorded; $(($(wc -l <"$work/again"))) tables were restored"
        elif bk_differ; then
            why=$differs
        fi
        [ -n "$why" ] || { tested=yes restored=$((restored + 1)) && : >"$file.restored" && rm -f "$file.untested"; }
    fi
    bk_scratch_away
}

vf_restored() {
    major=$(pg_restore --list "$file" | sed -n 's/^; *Dumped from database version: \([0-9]*\).*/\1/p')
    bk_cluster_up "$major" "$(bk_recorded_size "$file")" && bk_restore_whole || return
    { echo 'SET statement_timeout = 0;' && bk_count_rows; } >"$work/script"
    PGDATABASE=$(bk_at psql -wqAtX -d template1 -c \
        "SELECT datname FROM pg_catalog.pg_database WHERE datname NOT IN ('template0', 'template1')")
    export PGDATABASE
    bk_guarded "$work/counted" psql -wqAtX -v ON_ERROR_STOP=1 -f "$work/script" ||
        bk_cannot "the restored rows cannot be counted: $(bk_said)"
}

vf_report() { # read by Python
    printf '%s\n' "remotejobs-verify 1" "good=$good" "damaged=$damaged" "restored=$restored" \
        "seconds=$(($(date +%s) - began))"
    printf '%s' "$warnings"
    echo end
}
