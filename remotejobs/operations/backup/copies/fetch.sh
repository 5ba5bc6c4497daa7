# shellcheck shell=sh disable=SC2034,SC2154
# A copy is fetched by a command of this host, to be restored: the names of what is there, the record of one, and the copy
# itself, which has to be what its record says. Sent behind decrypt.sh.
#
# Settings: BACKUP_HOST (that was backed up) SENT_FROM (the directory of its backups) NAMES FETCH (commands); of names and records
#           WITHIN (seconds) RECORD_KIB (no record is longer) IDENTITY (a file in memory, or ''; it is removed at once); of a copy
#           DIRECTORY (of this restore alone) FILE BYTES (0 where that is not known) SHA256 (as it arrives; '' where that is
#           not known) RESERVE_KIB WATCH_EVERY (seconds)

ft_named() { # NAME: for the commands, as it was when the copy was sent
    BACKUP_NAME=$1 BACKUP_FILE=$SENT_FROM/$1
    case $1 in *.age | *.gpg | _record-*) BACKUP_FILE=$SENT_FROM/.outgoing/$1 ;; esac
    export BACKUP_HOST BACKUP_FILE BACKUP_NAME
}

ft_in_time() { # what hangs ends before nobody waits for its answer any more
    ! timeout -k 5 5 true 2>/dev/null || pipesh="timeout -k 5 $WITHIN $pipesh"
}

ft_ended() { # CODE: in words
    case $1 in 124) echo "did not end within $WITHIN seconds: $(bk_said)" ;; *) echo "ended with $1: $(bk_said)" ;; esac
}

ft_work() { work=$(mktemp -d 2>&1) || { echo "error no temporary directory can be made: $work" && return 1; }; }

ft_names() { # ITEM: answers with the words that the command prints and that may be names of its copies, or `error REASON`
    what=fetch step=names
    ft_work || return
    bk_command_need
    ft_in_time
    ft_named ''
    code=0
    (bk_piped "$NAMES") </dev/null >"$work/names" 2>"$work/said" || code=$?
    if [ "$code" -eq 0 ]; then
        LC_ALL=C tr -cs 'A-Za-z0-9._-' '\n' <"$work/names" | grep -F -e "$1-" | sort -u
    else
        echo "error the command for names $(ft_ended "$code")"
    fi
    rm -rf "$work"
}

ft_record() { # NAME ENCRYPTED (age, gpg or ''): answers with the record, opened, or `none REASON` or `error REASON`
    umask 077
    what=fetch step=record ITEM=$1 FILE=record PLAIN=opened keys='' code=0
    ft_work && cd "$work" || return
    trap dc_leave EXIT
    if [ -n "$IDENTITY" ]; then
        [ -r "$IDENTITY" ] || { echo "error the identity is not there" && return; }
        exec 3<"$IDENTITY"
        rm -f "$IDENTITY"
    fi
    bk_command_need
    ft_in_time
    ft_named "_record-$1"
    { (bk_piped "$FETCH") 2>said </dev/null 3<&- || echo $? >code; } | head -c "$((RECORD_KIB * 1024 + 1))" >record.part
    if [ "$(bk_size record.part)" -gt "$((RECORD_KIB * 1024))" ]; then
        echo "error what the command gives as _record-$1 is longer than any record: it may not read \$BACKUP_NAME"
    elif [ -s code ] || [ ! -s record.part ]; then
        echo "none the command for _record-$1 $(ft_ended "$(cat code 2>/dev/null || echo 0)")"
    elif [ -z "$2" ] || [ "$(head -c 1 record.part | tr -d '\000')" = '{' ]; then
        cat record.part
    elif "dc_$2" 2>said; then
        cat opened.part
    else
        echo "error the record of $1 cannot be decrypted: $(bk_said)"
    fi
}

ft_main() {
    umask 077
    what=fetch step=preflight ITEM=$FILE work='' here=no watch=''
    trap ft_leave EXIT
    trap 'exit 143' HUP INT TERM
    work=$(mktemp -d) || bk_fail "no temporary directory"
    bk_sums
    bk_home "$DIRECTORY"
    DIRECTORY=$path
    # An earlier try that failed while this one waited took it away.
    { mkdir -p "$DIRECTORY" && cd "$DIRECTORY" && here=yes; } || bk_fail "$DIRECTORY cannot be made or entered"
    : >"$work/checking"
    ft_watch </dev/null &
    watch=$!
    [ -z "$SHA256" ] || [ ! -f "$FILE.part" ] || ! dc_is "$FILE.part" "$SHA256" || return 0 # an earlier try came so far
    most=$(($(bk_free .) - RESERVE_KIB))
    [ "$most" -gt 0 ] || bk_fail "$DIRECTORY has not the $RESERVE_KIB KiB that stay free"
    bk_say fetch "$FILE"
    bk_command_need
    bk_bound
    ft_named "$FILE"
    code=0
    : >"$FILE.part"
    rm -f "$work/checking"
    (bk_piped "$FETCH") </dev/null >"$FILE.part" 2>"$work/said" || code=$?
    : >"$work/checking"
    bk_unbound
    if [ "$code" -ne 0 ] && { [ "$(bk_size "$FILE.part")" -ge "$((most * 1024))" ] || [ "$(bk_free .)" -le "$RESERVE_KIB" ]; }; then
        bk_fail "$DIRECTORY has no room for it: it had $most KiB beside the $RESERVE_KIB that stay free (reserve_mib); make room, or \
give another directory; the command ended with $code: $(bk_said)"
    fi
    [ "$code" -eq 0 ] || bk_fail "the command ended with $code: $(bk_said)"
    [ -s "$FILE.part" ] || bk_fail "the command gave nothing: $(bk_said)"
    [ -z "$SHA256" ] || dc_is "$FILE.part" "$SHA256" || bk_fail "what came has the sha256 $found, not $SHA256; it was removed"
}

# A line whenever more has come, and while what came is read again: where nothing comes, the job has no output, and its idle
# timeout ends it.
ft_watch() {
    trap 'kill "$nap" 2>/dev/null; exit' TERM
    had=0
    while kill -0 $$; do
        sleep "$WATCH_EVERY" &
        nap=$!
        wait "$nap"
        [ ! -e "$work/checking" ] || { echo "checking $FILE" && continue; }
        has=$(bk_size "$FILE.part")
        [ "$has" != "$had" ] || continue
        echo "$has bytes came"
        [ "$BYTES" -eq 0 ] || echo "$((has * 100 / BYTES)) fetching $FILE" >>"${REMOTEJOBS_PROGRESS:-/dev/null}"
        had=$has
    done 2>/dev/null
}

ft_leave() {
    left=$?
    trap - EXIT
    [ -z "$watch" ] || kill "$watch" 2>/dev/null
    [ "$left:$step" != 143:fetch ] || echo "it was ended when $(bk_size "$FILE.part") bytes had come; the command said: $(bk_said 2>/dev/null)" >&2
    [ -z "$work" ] || rm -rf "$work"
    if [ "$left" -ne 0 ] && [ "$here" = yes ]; then
        rm -f "./$FILE.part"
        case $DIRECTORY:$(pwd) in */.brought-*:*/.brought-*) cd / && rmdir "$DIRECTORY" 2>/dev/null ;; esac
    fi
    exit "$left"
}
