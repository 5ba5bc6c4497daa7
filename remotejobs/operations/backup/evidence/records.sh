# shellcheck shell=sh disable=SC2034,SC2154
# The records of backups that were started in a month, those of removed backups too. Sent behind place.sh; it changes nothing.
#
#   absent PATH              there is no such directory
#   error MESSAGE
#   at PATH
#   record FILE JSON         on one line, without the rows of tables
#   copy FILE JSON           of a copy of it in another place
#   verified FILE JSON, damaged FILE REASON

er_list() { # DIRECTORY MONTH (as 202611) MUST_BE_MOUNT (or '': without what is to be mounted nothing is known)
    MUST_BE_MOUNT=$3
    (bk_mounted) || return 0
    bk_home "$1"
    [ -e "$path" ] || { echo "absent $path" && return; }
    cd "$path" 2>/dev/null && [ -r . ] || { echo "error $path cannot be read by this user" && return; }
    echo "at $path"
    for each in *-"$2"??T??????Z.*.json .records/*-"$2"??T??????Z.*.json; do
        [ -f "$each" ] || continue
        [ -r "$each" ] || { echo "error $path/$each cannot be read by this user" && continue; }
        name=${each##*/} name=${name%.json}
        case $each in .records/*) ;; *) # it is there before its backup, which a power cut may have kept from its name
            if [ ! -f "$name" ] || [ ! -f "$name.sha256" ]; then continue; fi ;;
        esac
        er_file record "$each"
        for copy in .copies/*/"$name"; do
            er_file copy "$copy"
        done
        er_file verified "$name.verified"
        er_file damaged "$name.damaged"
    done
}

bk_fail() { # REASON
    echo "error $1"
    exit 1
}

er_file() { # KIND FILE
    [ -f "$2" ] || return 0
    printf '%s %s ' "$1" "$name"
    grep -v '^"rows": ' "$2" | tr '\n' ' '
    echo
}
