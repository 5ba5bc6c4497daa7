# shellcheck shell=sh disable=SC2030,SC2031,SC2034,SC2154
# What goes from this host to another place: encrypted for the recipients, with a checksum and a record of its own. Sent
# behind backup.sh.
#
# Settings: SEAL (age, gpg, or '': nothing is encrypted) RECIPIENTS (words for the shell), and the function bk_copies, which
#           calls bk_copy for each place that a command reaches
#
# In DIRECTORY/.outgoing/, until every place has it:  FILE.age, FILE.age.sha256, FILE.age.json
# In DIRECTORY/.copies/PLACE/FILE: JSON, where a copy of FILE is and when it was last seen whole; also after FILE is gone

bk_seal() { # a backup that cannot be encrypted stays here, and is a good one all the same
    sealed=''
    [ -n "$SEAL" ] || return 0
    bk_say encrypt "$SEAL"
    [ -z "$incomplete" ] || return 0
    [ "$(bk_free .)" -ge "$((bytes / 1024 + MIN_FREE_KIB))" ] || { bk_warn "not encrypted, and so not copied: $DIRECTORY \
has not the room for that" && return 0; }
    mkdir -p .outgoing
    to=.outgoing/$file.$SEAL
    if { "bk_seal_$SEAL" && bk_sealed_whole && bk_seal_described; } >"$work/said" 2>&1; then
        sealed=$to
        bk_check_passed "$SEAL: encrypted"
    else
        rm -f "$to" "$to.part" "$to.sha256" "$to.json" "$to.json.part"
        bk_warn "not encrypted, and so not copied: $(bk_said)"
    fi
}

bk_seal_age() {
    command -v age >/dev/null || { echo "age is not installed on this host" && return 1; }
    eval "set -- $RECIPIENTS"
    for each in "$@"; do
        shift
        set -- "$@" -r "$each"
    done
    age "$@" -o "$to.part" "$file"
}

bk_seal_gpg() {
    command -v gpg >/dev/null || { echo "gpg is not installed on this host" && return 1; }
    eval "set -- $RECIPIENTS"
    for each in "$@"; do
        shift
        set -- "$@" -r "$each"
    done
    gpg --batch --yes --no-tty --trust-model always --compress-algo none "$@" -o "$to.part" --encrypt "$file"
}

bk_sealed_whole() { # without the secret key no more can be seen of it than how it begins and how long it is
    [ "$(bk_size "$to.part")" -gt "$bytes" ] || { echo "it is shorter than what was encrypted" && return 1; }
    [ "$SEAL" != age ] || [ "$(head -c 21 "$to.part" | tr -d '\000')" = age-encryption.org/v1 ] || { echo "it is no file of age" && return 1; }
}

bk_seal_described() {
    sealed_sum=$($sha256 <"$to.part") && printf '%s  %s\n' "${sealed_sum%% *}" "$file.$SEAL" >"$to.sha256" && bk_sync "$to.part" "$to.sha256" &&
        bk_sealed_record && mv "$to.part" "$to" && bk_sync .outgoing
}

bk_sealed_record() (
    plain_file=$file plain_bytes=$bytes plain_sum=$sum encrypted=$SEAL
    cd .outgoing && file=$file.$SEAL bytes=$(bk_size "$plain_file.$SEAL.part") sum=${sealed_sum%% *} && bk_record
)

# --- places that a program of this host reaches ----------------------------------------------------------------------

# PLACE ENCRYPTED (yes, no) SEND FETCH REMOVE RETENTION LAST DAILY WEEKLY MONTHLY
bk_copy() {
    [ -z "$incomplete" ] || return 0
    place=$1 BACKUP_FILE=$DIRECTORY/$file
    if [ "$2" = yes ]; then
        [ -n "$sealed" ] || return 0 # said already
        BACKUP_FILE=$DIRECTORY/$sealed
    fi
    BACKUP_NAME=${BACKUP_FILE##*/}
    export BACKUP_FILE BACKUP_NAME
    bk_say copy "$BACKUP_NAME to $place"
    bk_command_need
    wanted=$($sha256 <"$BACKUP_FILE")
    if ! (bk_piped "$3") </dev/null >"$work/said" 2>&1; then
        bk_warn "not copied to $place: send failed: $(bk_said)"
    elif ! bk_copy_seen "$4" || [ "$seen" != "${wanted%% *}" ]; then
        bk_warn "not copied to $place: what fetch gives has the sha256 ${seen:-none}, not ${wanted%% *}: $(bk_said)"
    elif bk_copy_noted "$place" "$2"; then
        bk_copies_pruned "$place" "$2" "$5" "$6" "$7" "$8" "$9" "${10}"
    else
        bk_warn "it is copied to $place, and that cannot be noted in $DIRECTORY/.copies"
    fi
}

bk_copy_seen() { # FETCH -> $seen, the sha256 of what it gives
    seen=$({ bk_piped "$1" 2>"$work/said" </dev/null || : >"$work/failed"; } | $sha256)
    seen=${seen%% *}
    [ ! -e "$work/failed" ] || { rm -f "$work/failed" && return 1; }
}

bk_copy_noted() { # PLACE ENCRYPTED
    now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    mkdir -p ".copies/$1" && printf '{"place": "%s", "host": "", "path": "%s", "bytes": %s, "sha256": "%s", "encrypted": "%s", "at": "%s", "seen": "%s"}\n' \
        "$1" "$BACKUP_NAME" "$(bk_size "$BACKUP_FILE")" "${wanted%% *}" "$([ "$2" = no ] || echo "$SEAL")" "$now" "$now" >".copies/$1/.$file.part" &&
        bk_sync ".copies/$1/.$file.part" && mv ".copies/$1/.$file.part" ".copies/$1/$file" && bk_sync ".copies/$1"
}

# PLACE ENCRYPTED REMOVE RETENTION LAST DAILY WEEKLY MONTHLY: of the copies that this host has sent
bk_copies_pruned() {
    [ -n "$3" ] && [ "$4" != off ] || return 0
    for old in $(bk_copied "$1" | bk_until_now | bk_prunable "$5" "$6" "$7" "$8"); do
        [ "$old" != "$stamp" ] || continue
        old=$ITEM-$old.$EXTENSION
        BACKUP_NAME=$old
        [ "$2" = no ] || BACKUP_NAME=$old.$SEAL
        BACKUP_FILE=''
        if [ "$4" = dry_run ]; then
            echo "would remove the copy $BACKUP_NAME from $1"
        elif (bk_piped "$3") </dev/null >"$work/said" 2>&1; then
            echo "removed the copy $BACKUP_NAME from $1"
            rm -f ".copies/$1/$old"
        else
            bk_warn "the copy $BACKUP_NAME cannot be removed from $1: $(bk_said)"
        fi
    done
}

bk_copied() { # PLACE -> lines `STAMP 0`, the newest first
    for each in ".copies/$1/$ITEM"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z."$EXTENSION"; do
        [ -f "$each" ] || continue
        each=${each%."$EXTENSION"}
        echo "${each##*-} 0"
    done | sort -r
}
