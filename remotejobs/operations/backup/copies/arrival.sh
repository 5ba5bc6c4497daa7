# shellcheck shell=sh disable=SC2034,SC2153,SC2154
# A copy that came to this host: checked, named and kept as long as this place keeps copies. Sent behind the texts of the
# backup, whose functions it uses.
#
# Settings: DIRECTORY (of the copies of one host) FILE ITEM EXTENSION BYTES SHA256 MUST_BE_MOUNT DESCRIBED (its record) MARK (restored,
#           untested or '') MARKED (why it is untested) PLAN RETENTION LAST DAILY WEEKLY MONTHLY MIN_FREE_KIB

# Answers with `at PATH`, and `whole` where it is here already, or `room KIB` that are free.
ar_ready() {
    umask 077
    what=copy step=preflight
    missing=$( (bk_mounted) 2>&1) || { echo "error $(bk_line "$missing")" && return; }
    bk_home "$DIRECTORY"
    { mkdir -p "$path/.incoming" && cd "$path"; } || { echo "error $path cannot be made or entered" && return; }
    echo "at $path"
    find .incoming -type f -mtime +1 -exec rm -f {} + 2>/dev/null # nobody goes on with these: they would fill the disk
    if [ -f "$FILE" ] && [ -f "$FILE.sha256" ] && [ ! -f "$FILE.damaged" ]; then
        read -r there _ <"$FILE.sha256"
        [ "$there" != "$SHA256" ] || [ "$(bk_size "$FILE")" != "$BYTES" ] || echo whole yes
    fi
    echo "room $(bk_free .)"
}

ar_main() { # PART, or '' where the copy is here and was noted nowhere: nothing is known of when it was last read
    umask 077
    what=copy step=preflight began=$(date +%s) KIND=copy file=$FILE MUST_EXIST=no
    to_drop='' cluster='' worker='' guard='' work='' made='' kept=0 removed=0 incomplete='' warnings=''
    stamp=${FILE##*-} stamp=${stamp%%.*}
    trap 'exit 143' HUP INT TERM
    bk_sums
    bk_place
    [ -f "$1" ] || [ ! -f "$FILE" ] || set -- '' # another run sent the same meanwhile
    part=${1:-$DIRECTORY/$FILE}
    case $part in
    "$DIRECTORY/$FILE" | "$DIRECTORY/.incoming/"*) ;;
    *) # the one who logs in cannot write here
        near=.incoming/${part##*/}
        cp "$part" "$near" || bk_fail "$part cannot be copied to $DIRECTORY"
        rm -f "$part"
        part=$near
        ;;
    esac
    bk_say checksum "$FILE"
    found=$($sha256 <"$part") || bk_fail "$part cannot be read"
    if [ "${found%% *}" != "$SHA256" ] && [ -z "$1" ]; then
        printf '%s\n' "its sha256 is ${found%% *}, and $SHA256 was recorded" >"$FILE.damaged"
        bk_fail "the copy that is there has the sha256 ${found%% *}, not $SHA256; it is marked damaged"
    elif [ "${found%% *}" != "$SHA256" ]; then
        rm -f "$part"
        bk_fail "what arrived has the sha256 ${found%% *}, not $SHA256; it was removed"
    fi
    [ -z "$1" ] || ar_named
    bk_claim
    bk_sync .
    bk_retain
    step=report
    printf '%s\n' "remotejobs-copy 1" "path=$DIRECTORY/$FILE" "kept=$kept" "removed=$removed"
    printf '%s' "$warnings"
    echo end
}

ar_named() { # $part gets its name, and then alone a damaged one of that name is damaged no more
    new=.incoming/$FILE
    { bk_described >"$new.json" && printf '%s  %s\n' "$SHA256" "$FILE" >"$new.sha256"; } ||
        bk_fail "nothing can be written to $DIRECTORY"
    [ -z "$MARK" ] || printf '%s\n' "$MARKED" >"$FILE.$MARK" || bk_fail "$FILE.$MARK cannot be written"
    rm -f "$FILE.verified"
    bk_sync "$part" "$new.json" "$new.sha256"
    { mv "$new.json" "$FILE.json" && mv "$new.sha256" "$FILE.sha256" && mv "$part" "$FILE"; } ||
        bk_fail "it cannot be given its name in $DIRECTORY"
    bk_sync .
    rm -f "$FILE.damaged"
}
