# shellcheck shell=sh disable=SC2034,SC2154
# Copies of a backup in places that a program of this host reaches (rclone, restic, borg), and its record beside each: from
# it a restore knows what the copy has to be, when this host is no more. Sent behind seal.sh.
#
# Settings: BACKUP_HOST, and the function bk_copies, which calls bk_copy for each place
#
# There:  FILE (encrypted: FILE.age), and _record-FILE, encrypted as that is. No item's name begins with `_`, so that no
#         pattern for the copies of an item means a record

# PLACE ENCRYPTED (yes, no) RECORDS (yes, no) SEND FETCH REMOVE RETENTION LAST DAILY WEEKLY MONTHLY
bk_copy() {
    place=$1 encrypted_there=$2 records=$3 send=$4 fetch=$5 remove=$6
    shift 6
    [ -z "$incomplete" ] || return 0
    original=$DIRECTORY/$file
    if [ "$encrypted_there" = yes ]; then
        [ -n "$sealed" ] || return 0 # said already
        original=$DIRECTORY/$sealed
    fi
    bk_command_need
    # First, so that a program which keeps the last of each day never keeps a record in place of a backup.
    [ "$records" = no ] || bk_copy_record || records=no
    if ! bk_copy_sent "$original"; then
        bk_warn "not copied to $place: $why"
        [ "$records" = no ] || [ -z "$remove" ] || bk_copy_removed "_record-${original##*/}" || :
    elif bk_copy_noted; then
        bk_copies_pruned "$@"
    else
        bk_warn "it is copied to $place, and that cannot be noted in $DIRECTORY/.copies"
    fi
}

bk_copy_named() { # PATH: for the commands
    BACKUP_FILE=$1 BACKUP_NAME=${1##*/}
    export BACKUP_HOST BACKUP_FILE BACKUP_NAME
}

bk_copy_sent() { # PATH: what fetch gives shows whether it is there; or $why
    bk_copy_named "$1"
    bk_say copy "$BACKUP_NAME to $place"
    wanted=$($sha256 <"$1") wanted=${wanted%% *}
    (bk_piped "$send") </dev/null >"$work/said" 2>&1 || { why="send failed: $(bk_said)" && return 1; }
    if bk_copy_seen && [ "$seen" = "$wanted" ]; then return; fi
    why="what fetch gives has the sha256 ${seen:-none}, not $wanted: $(bk_said)"
    return 1
}

bk_copy_seen() { # -> $seen, the sha256 of what fetch gives
    seen=$({ bk_piped "$fetch" 2>"$work/said" </dev/null || : >"$work/failed"; } | $sha256)
    seen=${seen%% *}
    [ ! -e "$work/failed" ] || { rm -f "$work/failed" && return 1; }
}

bk_copy_record() { # of a copy that is encrypted, what it says is secret too
    recorded=.outgoing/_record-${original##*/}
    if [ "$encrypted_there" = yes ]; then
        "bk_seal_$SEAL" "$sealed.json" "$recorded" >"$work/said" 2>&1
    else
        bk_record 2>"$work/said" && mkdir -p .outgoing && cp "$file.json" "$recorded" 2>"$work/said" # with the restore test
    fi && bk_copy_sent "$DIRECTORY/$recorded"
    code=$?
    rm -f "$recorded"
    [ "$code" -eq 0 ] || bk_warn "without its record in $place, so that a restore from there takes its sha256: ${why:-$(bk_said)}"
    return "$code"
}

bk_copy_noted() {
    now=$(date -u +%Y-%m-%dT%H:%M:%SZ) marks=.copies/$place
    bk_copy_named "$original"
    mkdir -p "$marks" && printf '{"place": "%s", "host": "", "path": "%s", "bytes": %s, "sha256": "%s", "encrypted": "%s", "at": "%s", "seen": "%s", "record": %s}\n' \
        "$place" "$BACKUP_NAME" "$(bk_size "$original")" "$wanted" "$([ "$encrypted_there" = no ] || echo "$SEAL")" "$now" "$now" \
        "$([ "$records" = yes ] && echo true || echo false)" >"$marks/.$file.part" &&
        bk_sync "$marks/.$file.part" && mv "$marks/.$file.part" "$marks/$file" && bk_sync "$marks"
}

bk_copies_pruned() { # RETENTION LAST DAILY WEEKLY MONTHLY: of the copies that this host has sent
    [ -n "$remove" ] && [ "$1" != off ] || return 0
    mode=$1 earlier=$(bk_copies_going)
    shift
    for old in $(bk_copied "$place" | bk_until_now | bk_prunable "$@"); do
        [ "$old" != "$stamp" ] || continue
        old=$ITEM-$old.$EXTENSION
        if [ "$mode" = dry_run ]; then
            echo "would remove the copy of $old from $place"
        else # from here on nobody claims that it is there, whether or not this host lives to see it go
            mv ".copies/$place/$old" ".copies/$place/.going-$old"
        fi
    done
    [ "$mode" != dry_run ] || return 0
    for going in $(bk_copies_going); do
        if printf '%s\n' "$earlier" | grep -Fqx -e "$going"; then bk_copy_goes "$going" yes; else bk_copy_goes "$going" no; fi
    done
}

bk_copies_going() { # -> the files of which copies are about to be removed, or were when this host went down
    for going in ".copies/$place/.going-$ITEM-"????????T??????Z."$EXTENSION"; do
        [ ! -f "$going" ] || echo "${going##*/.going-}"
    done
}

bk_copy_goes() { # FILE EARLIER (yes, no: whether an earlier run was at it)
    going=.copies/$place/.going-$1
    there=$(sed -n 's/.*"path": "\([^"]*\)".*/\1/p' "$going") # it was sent by the settings of its day
    there=${there:-$1}
    if bk_copy_gone "$there" "$2"; then
        echo "removed the copy $there from $place"
        ! grep -q '"record": true' "$going" || bk_copy_gone "_record-$there" "$2" ||
            bk_warn "the record of the copy $there cannot be removed from $place: $(bk_said)"
        rm -f "$going"
    else
        mv "$going" ".copies/$place/$1"
        bk_warn "the copy $there cannot be removed from $place: $(bk_said)"
    fi
}

# NAME EARLIER: removed; or an earlier run has done that, as nothing is there, while the place gives what was just sent. One
# that can be neither removed nor read is not taken for gone, for a place may refuse both.
bk_copy_gone() {
    ! bk_copy_removed "$1" || return 0
    [ "$2" = yes ] || return
    cp "$work/said" "$work/removing"
    bk_copy_seen || :
    [ "$seen" = e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 ] && bk_place_gives # of nothing
    set -- $?
    mv "$work/removing" "$work/said"
    return "$1"
}

bk_place_gives() { # whether it gives the first byte of the copy that it was just sent
    bk_copy_named "$original"
    [ "$({ bk_piped "$fetch" 2>/dev/null </dev/null || :; } | head -c 1 | wc -c)" -eq 1 ]
}

bk_copy_removed() { # NAME
    bk_copy_named "$1"
    BACKUP_FILE=''
    (bk_piped "$remove") </dev/null >"$work/said" 2>&1
}

bk_copied() { # PLACE -> lines `STAMP 0`, the newest first
    for each in ".copies/$1/$ITEM"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z."$EXTENSION"; do
        [ -f "$each" ] || continue
        each=${each%."$EXTENSION"}
        echo "${each##*-} 0"
    done | sort -r
}
