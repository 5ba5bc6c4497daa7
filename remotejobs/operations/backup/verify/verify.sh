# shellcheck shell=sh disable=SC2034,SC2154
# Reads backups that lie here again: checksum, format, and one database in so many is restored into a throw-away server.
# What is damaged is marked so, and counts as a backup nowhere. What could not be read at all (no right to it, no room, a
# program that was killed) shows nothing of the backup: it is reported, and no mark changes. Sent behind the backup's texts.
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
    good=0 damaged=0 unread=0 restored=0 number=0 day=$(($(date +%s) / 86400)) RESTORE_ON=cluster ROLES=no
    trap vf_leave EXIT
    trap 'exit 143' HUP INT TERM
    work=$(mktemp -d) || bk_fail "no temporary directory"
    bk_sums
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
    all=$((good + damaged + unread))
    [ "$damaged" -eq 0 ] || bk_fail "$damaged of $all backups are damaged; they are marked so"
    [ "$unread" -eq 0 ] || bk_fail "$unread of $all backups in $DIRECTORY could not be read; the output says why. No mark was changed"
}

vf_leave() {
    left=$?
    trap - EXIT
    bk_scratch_away
    [ -z "$work" ] || rm -rf "$work"
    exit "$left"
}

vf_files() { # newest first
    for each in *-????????T??????Z.* */*-????????T??????Z.*; do # those of this host, and copies of those of others
        case $each in *[!A-Za-z0-9._/-]*) continue ;; esac # none of ours
        case $ITEM in '') ;; *) case ${each##*/} in "$ITEM"-????????T??????Z.*) ;; *) continue ;; esac ;; esac
        if [ -f "$each" ] && [ -f "$each.sha256" ] && [ ! -f "$each.incomplete" ]; then
            stamp=${each##*-}
            echo "$stamp $each"
        fi
    done | sort -r | cut -d ' ' -f 2
}

vf_one() { # FILE
    file=$1 why='' cannot='' tested=no untested='' subject="$1: "
    vf_kind
    vf_checksum && vf_format && vf_restore
    [ -f "$file" ] || return 0 # a retention took it meanwhile
    if [ -n "$cannot" ]; then
        unread=$((unread + 1))
        bk_warn "$file could not be read: $cannot"
        return
    fi
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
    { printf '%s\n' "$2" >"$file.$1.part" && mv "$file.$1.part" "$file.$1"; } && return
    rm -f "$file.$1.part"
    bk_fail "$DIRECTORY/$file.$1 cannot be written"
}

vf_wrong() { # CODE REASON: what a program said of $file, unless it speaks of this host
    said=$(bk_said)
    if [ -z "$said" ] || [ "$1" -ge 126 ] || grep -q -i -e 'no space left' -e 'disk is full' -e 'write error' -e memory \
        -e 'permission denied' -e 'unable to open' -e 'not found' -e 'cannot exec' -e 'unsupported version' -e 'not support' \
        "$work/said"; then
        cannot="$2: it ended with $1: ${said:-no word of why}"
    else
        why="$2: $said"
    fi
}

vf_kind() { # -> $kind
    # What is encrypted is compared with its checksum: the key that opens it is not here, and shall not be.
    case $file in *.age | *.gpg) kind=encrypted && return ;; esac
    kind=$(sed -n 's/.*"kind": "\([a-z]*\)".*/\1/p' "$file.json" 2>/dev/null | sed -n 1p)
    [ -z "$kind" ] || return 0
    case $file in *.dump | *.dump.tar) kind=postgres ;; *.tar | *.tar.gz) kind=files ;; *.sqlite) kind=sqlite ;; *) kind='command' ;; esac
}

vf_checksum() {
    recorded=''
    read -r recorded _ <"$file.sha256" || :
    [ -n "$recorded" ] || { cannot="$file.sha256 has no checksum" && return 1; }
    found=$({ $sha256 <"$file"; } 2>"$work/said") || { cannot="$sha256: $(bk_said)" && return 1; }
    [ "${found%% *}" = "$recorded" ] || { why="its sha256 is ${found%% *}, and $recorded was recorded" && return 1; }
    size=$(bk_recorded bytes "$file")
    [ -z "$size" ] || [ "$size" -eq "$(bk_size "$file")" ] || { why="it has not the $size bytes of its record" && return 1; }
}

vf_format() {
    case $kind in
    postgres)
        case $file in *.sql.gz)
            bk_plain_whole "$file" || vf_wrong 1 "$why"
            [ -z "$why$cannot" ]
            return
            ;;
        esac
        command -v pg_restore >/dev/null || { bk_warn "$file: pg_restore is not installed: its format is not read" && return 0; }
        bk_archive_of "$DIRECTORY/$file" || { cannot="it cannot be unpacked: $(bk_said)" && return 1; }
        pg_restore -f /dev/null "$archive" 2>"$work/said" || vf_wrong "$?" "pg_restore cannot read it"
        [ -z "${unpacked:-}" ] || rm -rf "$unpacked"
        ;;
    files)
        # Its list needs no room on this host.
        listed=$({
            case $file in *gz) tar -tzf "$file" ;; *) tar -tf "$file" ;; esac 2>"$work/said"
            echo "$?"
        } | awk 'END { print NR - 1, $0 }')
        entries=$(bk_recorded entries "$file")
        if [ "${listed#* }" != 0 ]; then
            vf_wrong "${listed#* }" "tar cannot read it"
        elif [ -n "$entries" ] && [ "$entries" -ne "${listed% *}" ]; then
            why="it has ${listed% *} entries, and its record says $entries"
        fi
        ;;
    sqlite)
        command -v sqlite3 >/dev/null || { bk_warn "$file: sqlite3 is not installed: its format is not read" && return 0; }
        bk_sqlite_whole "$file" || vf_wrong "$?" "its integrity_check says"
        ;;
    mariadb)
        my_whole "$file" || vf_wrong 1 "$why"
        ;;
    redis)
        command -v redis-check-rdb >/dev/null || { bk_warn "$file: redis-check-rdb is not installed: its format is not read" && return 0; }
        redis_whole "$file" || vf_wrong 1 "$why"
        ;;
    globals)
        tail -n 5 "$file" | grep -q '^-- PostgreSQL database cluster dump complete' || why='its end is missing'
        ;;
    esac
    [ -z "$why$cannot" ]
}

vf_restore() { # one database in EVERY, another one each day
    [ "$kind" = postgres ] && [ "$EVERY" -gt 0 ] || return 0
    number=$((number + 1))
    [ "$(((number + day) % EVERY))" -eq 0 ] || return 0
    step=restore test_began=$(date +%s)
    bk_say restore "$file into a throw-away server in $RESTORE_DIRECTORY"
    if vf_restored; then
        if [ ! -s "$work/rows" ]; then
            echo "$file: no rows were recorded to compare with; $(($(wc -l <"$work/again"))) tables were restored"
        elif bk_differ; then
            why=$differs
        else
            : >"$file.restored" && rm -f "$file.untested"
        fi
        [ -n "$why" ] || tested=yes restored=$((restored + 1))
    fi
    bk_scratch_away
}

vf_restored() {
    bk_archive_of "$DIRECTORY/$file" || bk_cannot "it cannot be unpacked: $(bk_said)" || return
    if [ -n "$archive" ]; then pg_restore --list "$archive"; else gzip -dc "$file" | head -n 20; fi >"$work/head"
    major=$(sed -n 's/^.*Dumped from database version:* \([0-9]*\).*/\1/p' "$work/head" | sed -n 1p)
    PGDATABASE=restored
    export PGDATABASE
    bk_cluster_up "$major" "$(bk_recorded_size "$file")" && bk_restore_whole || return
    { echo 'SET statement_timeout = 0;' && bk_count_rows; } >"$work/script"
    PGDATABASE=$(bk_at psql -wqAtX -d template1 -c \
        "SELECT datname FROM pg_catalog.pg_database WHERE datname NOT IN ('template0', 'template1')")
    export PGDATABASE
    bk_guarded "$work/counted" psql -wqAtX -v ON_ERROR_STOP=1 -f "$work/script" ||
        bk_cannot "the restored rows cannot be counted: $(bk_said)" || return
    bk_rows_to_compare "$file" || bk_cannot "the restored rows cannot be kept in $work: is there room?"
}

vf_report() { # read by Python
    printf '%s\n' "remotejobs-verify 1" "good=$good" "damaged=$damaged" "unread=$unread" "restored=$restored" \
        "seconds=$(($(date +%s) - began))"
    printf '%s' "$warnings"
    echo end
}
