# shellcheck shell=sh disable=SC2034,SC2154
# Makes one backup on this host and believes in it only after it was checked. Python puts the settings above this text
# and one call of bk_main below it, so the whole can be run again by hand. It needs a POSIX shell, df, awk, find, sed,
# sort, sync, wc, openssl, sha256sum or shasum, and the programs of its kind.
#
# Settings: ITEM KIND EXTENSION DIRECTORY MIN_BYTES MIN_FREE_KIB RETENTION (apply, dry_run, off) LAST DAILY WEEKLY
#           MONTHLY RESTORE_TEST (yes, no) SCRATCH (name of the database for it) PLAN MUST_EXIST (yes, no) MUST_BE_MOUNT
#           HOST_COPIES (yes, no: whether another host gets copies), and those of seal.sh and commands.sh
#
# Files in DIRECTORY, where FILE is ITEM-STAMP.EXTENSION:
#   FILE.part        being made and checked; removed when anything fails
#   FILE.sha256      its checksum, on disk before FILE has its name
#   FILE             a backup that passed every check
#   FILE.restored    it was also restored, and every table had its rows
#   FILE.untested    that was asked for and could not be done, or not yet: why
#   FILE.changed     files that changed while they were read: what tar said
#   FILE.incomplete  some of it could not be read: what tar said. It counts as a backup nowhere
#   FILE.json        its record (record.sh), there before FILE has its name
#   FILE.damaged     a verification found it damaged: what was wrong. It counts as a backup nowhere
#   .ITEM.plan       whose backups of this item these are

bk_main() {
    umask 077
    began=$(date +%s) began_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    ran='' versions='' checks='' entries='' counted='' database_bytes='' test_seconds=0
    part='' step=preflight made='' work='' kept=0 removed=0 tested=no
    untested='' incomplete='' changed='' warnings='' bad='' most=''
    to_drop='' cluster='' worker='' guard='' summing='' flushing=''
    trap bk_leave EXIT
    trap 'exit 143' HUP INT TERM
    bk_may_begin
    bk_gently
    bk_preflight
    bk_run_before
    bk_say dump "$KIND $ITEM to $DIRECTORY/$file"
    bk_meanwhile
    bk_bound
    "bk_${KIND}_dump" "$@"
    bk_unbound
    bk_written
    bk_run_after made
    bytes=$(bk_size "$part")
    [ "$bytes" -ge "$MIN_BYTES" ] || bk_fail "it has only $bytes bytes, fewer than the $MIN_BYTES expected"
    bk_check_passed "at least $MIN_BYTES bytes"
    bk_say check "$bytes bytes"
    bk_sum_begin
    "bk_${KIND}_check" "$@"
    bk_publish
    [ "$RESTORE_TEST" = no ] || bk_restore_test
    bk_seal
    bk_copies
    if [ "$HOST_COPIES" = no ]; then bk_outgoing_away "$file"; fi
    bk_retain
    # It has all that came after: the restore test, and what was amiss.
    bk_record || bk_warn "the record $DIRECTORY/$file.json cannot be written anew"
    bk_sync .
    bk_report
    [ -z "$incomplete" ] || bk_fail "$incomplete. What could be read is kept, marked incomplete: $DIRECTORY/$file"
}

bk_say() { # STEP WHAT: a line of the job's progress
    step=$1
    printf '%s: %s\n' "$1" "$2"
}

bk_line() { # TEXT: of it one line
    case ${#1}:$1 in
    [1-9]:*[!A-Za-z0-9\ .,:/=_-]* | [1-9][0-9]:*[!A-Za-z0-9\ .,:/=_-]* | [1-9][0-9][0-9]*) ;;
    *) printf '%s' "$1" && return ;; # as most are: it takes no process
    esac
    printf '%s' "$1" | tr '\n\t' '  ' | tr -d '\000-\037\177' | cut -c 1-400
}

bk_warn() { # WHAT: the backup is kept, and a person has to know this of it
    warned=$(bk_line "$1")
    printf 'warning: %s\n' "$warned"
    warnings="${warnings}warning=$warned
"
}

bk_fail() { # REASON
    [ "$step" != dump ] || [ -z "$most" ] ||
        set -- "$1; no more than $most KiB could be written, and the last backup took $((again * 4 / 5)) KiB"
    printf '%s of %s failed at step %s: %s\n' "${what:-backup}" "$ITEM" "$step" "$1" >&2
    exit 1
}

bk_leave() { # however it ends: no half backup, no scratch database and no throw-away server stay behind
    left=$?
    trap - EXIT
    bk_run_after failed
    [ -z "$summing" ] || kill "$summing" 2>/dev/null
    [ -z "$flushing" ] || kill "$flushing" 2>/dev/null
    bk_scratch_away
    [ -z "$work" ] || rm -rf "$work"
    if [ -n "$made" ]; then
        rm -rf "$part" "$part.d" "$file.sha256.part" "$file.json.part"
        if [ -n "$bad" ] || [ ! -e "$file" ]; then bk_remove "$file"; fi
    fi
    exit "$left"
}

bk_remove() { # FILE, and last what makes it count as one
    bk_outgoing_away "$1"
    rm -f "$1" "$1.restored" "$1.untested" "$1.changed" "$1.incomplete" "$1.damaged" "$1.verified" "$1.json" "$1.sha256"
}

bk_outgoing_away() { rm -f ".outgoing/$1.age"* ".outgoing/$1.gpg"* ".outgoing/_record-$1"*; } # FILE: what was to go to other places

bk_size() { # FILE: its bytes, or 0; wc of BusyBox reads them all to count them
    # shellcheck disable=SC2046 # the words of a line
    set -- $(LC_ALL=C ls -lnL "$1")
    echo "${5:-0}"
}

bk_free() { df -Pk "$1" | sed -n '2s/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p'; } # PATH: KiB

bk_sync() { sync "$@" 2>/dev/null || sync; }

bk_need() { # PROGRAM...
    for program in "$@"; do
        command -v "$program" >/dev/null || bk_fail "$program is not installed on this host"
    done
}

bk_sums() { # -> $sha256: openssl uses what the processor has for it, and is four times as fast there
    for summer in 'openssl dgst -sha256 -r' sha256sum 'shasum -a 256'; do
        sha256=$summer # in yash the loop's own variable is gone after the return
        case $($sha256 </dev/null 2>/dev/null) in
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855*) return ;;
        esac
    done
    bk_fail "neither openssl nor sha256sum nor shasum is installed on this host"
}

bk_preflight() {
    bk_place
    bk_sums
    work=$(mktemp -d) || bk_fail "no temporary directory"
    "bk_${KIND}_need"
    bk_stamp
    bk_room
    (set -C && : >"$part") || bk_fail "$DIRECTORY/$part cannot be made"
    made=1
}

bk_stamp() { # -> $stamp, $file and $part: no other backup of this item was made within that second
    while
        stamp=$(date -u +%Y%m%dT%H%M%SZ)
        file=$ITEM-$stamp.$EXTENSION part=$ITEM-$stamp.$EXTENSION.part
        [ -e "$file" ] || [ -e "$part" ]
    do
        sleep 1
    done
}

# --- command: COMMAND [CHECK] ----------------------------------------------------------------------------------------

# A shell in which a failing part of a pipe fails the whole -> $pipesh. Where there is none, pipes are refused.
bk_command_need() {
    pipesh=sh options=-e
    for shell in sh bash mksh ksh zsh 'busybox sh' yash; do
        # shellcheck disable=SC2086 # a program and its first word
        if command -v ${shell%% *} >/dev/null && $shell -c 'set -o pipefail' 2>/dev/null; then
            pipesh=$shell options='-eo pipefail'
            return
        fi
    done
}

bk_piped() { # COMMAND
    case $options:$1 in -e:*'|'*) bk_fail "no shell on this host sees failures inside a pipe; install bash" ;; esac
    # shellcheck disable=SC2086 # both are words
    $pipesh $options -c "$1"
}

bk_command_dump() { bk_piped "$1" >"$part" || bk_fail "the command ended with $?"; }

bk_command_check() {
    [ -n "$2" ] || return 0
    bk_piped "$2" <"$part" >/dev/null || bk_fail "the check ended with $?"
    bk_check_passed "$2"
}

# --- after -----------------------------------------------------------------------------------------------------------

bk_publish() {
    bk_say checksum "$sha256"
    bk_sum_ended
    printf '%s  %s\n' "$sum" "$file" >"$file.sha256.part" || bk_fail "the checksum cannot be written"
    # What is amiss with it is there before it has its name: nothing takes it for better than it is.
    bk_mark incomplete "$incomplete"
    bk_mark changed "$changed"
    [ "$RESTORE_TEST" = no ] || bk_mark untested "${untested:-the restore test has not ended}"
    bk_record || bk_fail "the record cannot be written"
    [ -z "$flushing" ] || wait "$flushing" || :
    flushing=''
    bk_sync "$part" "$file.sha256.part"
    { mv "$file.sha256.part" "$file.sha256" && mv "$part" "$file"; } || bk_fail "it cannot be renamed"
    bk_claim
    bk_sync .
}

bk_mark() { # KIND TEXT
    [ -z "$2" ] || printf '%s\n' "$2" >"$file.$1" || bk_fail "$DIRECTORY/$file.$1 cannot be written"
}

bk_report() { # read by Python
    step=report
    [ -z "${REPORT_TO:-}" ] || exec >>"$REPORT_TO"
    printf '%s\n' "remotejobs-backup 1" "path=$DIRECTORY/$file" "bytes=$bytes" "sha256=$sum" \
        "seconds=$(($(date +%s) - began))" "restore_tested=$tested" "kept=$kept" "removed=$removed" \
        "retention=$RETENTION" "untested=$untested" "incomplete=${incomplete:+yes}"
    printf '%s' "$warnings"
    echo end
}
