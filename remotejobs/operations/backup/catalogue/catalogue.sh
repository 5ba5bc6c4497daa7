# shellcheck shell=sh disable=SC2154
# What backups there are in a directory of this host, and what is where one is to be restored. Sent behind place.sh; it
# changes nothing.
#
#   absent PATH              there is no such directory
#   error MESSAGE
#   at PATH NOW              where they are, and what this host's clock says (UTC)
#   backup BYTES FILE MARK,...
#   record FILE JSON         on one line, without the rows of tables
#   copy FILE JSON           of a copy of it in another place
#   outgoing FILE NAME BYTES SHA256: it is ready to go to other places, encrypted, under that name
#   untested FILE REASON, damaged FILE REASON, verified FILE JSON
# and of a target:
#   exists no|empty|yes
#   sessions N               that use the database
#   error no_answer REASON

ct_list() { # DIRECTORY [FILE]: all, or one with its rows
    bk_home "$1"
    one=${2:-}
    [ -e "$path" ] || { echo "absent $path" && return; }
    cd "$path" 2>/dev/null && [ -r . ] || { echo "error $path cannot be read by this user" && return; }
    echo "at $(date -u +%Y%m%dT%H%M%SZ) $path"
    set --
    for each in *-????????T??????Z.* */*-????????T??????Z.*; do # those of this host, and copies of those of others
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
        for copy in .copies/*/"$name"; do
            ct_file copy "$copy" "$name"
        done
        ct_outgoing "$name"
    done
}

ct_outgoing() { # FILE
    for ready in ".outgoing/$1.age" ".outgoing/$1.gpg"; do
        if [ ! -f "$ready" ] || [ ! -f "$ready.json" ]; then continue; fi
        read -r sum _ <"$ready.sha256"
        echo "outgoing $1 ${ready#.outgoing/} $(($(wc -c <"$ready"))) $sum"
    done
}

ct_file() { # KIND FILE NAME: its lines as one; of a record without the rows, unless one backup was asked for
    [ -f "$2" ] || return 0
    printf '%s %s ' "$1" "$3"
    if [ -n "$one" ]; then cat "$2"; else grep -v '^"rows": ' "$2"; fi | tr '\n' ' '
    echo
}

ct_database() { # NAME
    echo "SELECT (SELECT count(*) FROM pg_catalog.pg_database WHERE datname = :'target'),
        (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = :'target')" |
        psql -wqAtX -d postgres -F ' ' -v ON_ERROR_STOP=1 -v target="$1" 2>&1 | {
        read -r there sessions rest
        case $there$sessions in
        *[!0-9]* | '') echo "error no_answer $there $sessions $rest" ;;
        0*) echo 'exists no' ;;
        *) printf 'exists yes\nsessions %s\n' "$sessions" ;;
        esac
    }
}

ct_mariadb() { # NAME: one that is empty is as good as none
    if ! command -v mariadb >/dev/null && ! command -v mysql >/dev/null; then
        echo 'error no_program mariadb (or mysql) is not installed on this host'
        return
    fi
    work=$(mktemp -d) || return
    my_programs
    count=$(my_inside "$1")
    case $count in
    '' | *[!0-9]*) echo "error no_answer $(cat "$work/said")" ;;
    0) echo 'exists no' ;;
    *) echo "error exists the database $1 is not empty, and nothing renames a database of MariaDB: restore to another name" ;;
    esac
    rm -rf "$work"
}

ct_directory() { # PATH
    bk_home "$1"
    if [ ! -e "$path" ] && [ ! -h "$path" ]; then
        echo 'exists no'
    elif [ -d "$path" ] && [ ! -h "${path%/}" ] && inside=$(ls -A "$path") && [ -z "$inside" ]; then
        echo 'exists empty'
    else
        echo 'exists yes'
    fi
}
