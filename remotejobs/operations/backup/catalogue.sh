# shellcheck shell=sh disable=SC2154
# What backups there are in a directory of this host. Sent behind place.sh; it changes nothing.
#
#   absent PATH              there is no such directory
#   error MESSAGE
#   at PATH NOW              where they are, and what this host's clock says (UTC)
#   backup BYTES FILE MARK,...
#   record FILE JSON         on one line, without the rows of tables
#   untested FILE REASON, damaged FILE REASON, verified FILE JSON

ct_list() { # DIRECTORY [FILE]: all, or one with its rows
    bk_home "$1"
    one=${2:-}
    [ -e "$path" ] || { echo "absent $path" && return; }
    cd "$path" 2>/dev/null && [ -r . ] || { echo "error $path cannot be read by this user" && return; }
    echo "at $(date -u +%Y%m%dT%H%M%SZ) $path"
    set --
    for each in *-????????T??????Z.*; do
        [ -z "$one" ] || [ "$each" = "$one" ] || continue
        if [ -f "$each" ] && [ -f "$each.sha256" ]; then set -- "$@" "$each"; fi
    done
    [ "$#" -gt 0 ] || return 0
    for name in "$@"; do # wc would leave it out
        [ -r "$name" ] || echo "backup 0 $name unreadable"
    done
    wc -c "$@" 2>/dev/null | while read -r bytes name; do
        [ -f "$name" ] || continue # the line of the total
        marks=''
        for mark in restored untested changed incomplete damaged; do
            [ ! -f "$name.$mark" ] || marks=$marks,$mark
        done
        echo "backup $bytes $name ${marks#,}"
    done
    for name in "$@"; do
        ct_file record "$name.json" "$name"
        ct_file untested "$name.untested" "$name"
        ct_file damaged "$name.damaged" "$name"
        ct_file verified "$name.verified" "$name"
    done
}

ct_file() { # KIND FILE NAME: its lines as one; of a record without the rows, unless one backup was asked for
    [ -f "$2" ] || return 0
    printf '%s %s ' "$1" "$3"
    if [ -n "$one" ]; then cat "$2"; else grep -v '^"rows": ' "$2"; fi | tr '\n' ' '
    echo
}
