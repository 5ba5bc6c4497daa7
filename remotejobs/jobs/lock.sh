# shellcheck shell=sh disable=SC2154
# Named locks on a host that outlive the process that took them: a file that is there or not, and names its holder. Sent behind
# job.sh, whose rj_base, rj_valid and rj_fail it uses. Each entry answers with lines of `key value`.
#
# DIRECTORY/.locks/NAME   made by linking a file that is whole already, so there is no lock without its holder;
#                         of several that link at once one wins. Removed only in its owner's name, or by a person
# DIRECTORY/.locks/.released   a line for each lock that a person removed: when, which, whose, by whom, and why

lk_enter() { # DIRECTORY NAME -> $base $lock
    rj_base "$1" && rj_valid "$2" || return
    lock=$base/.locks/$2
}

lk_report() { # the lock's holder
    printf 'path %s\n' "$lock"
    if [ -e "$lock" ]; then cat "$lock"; else echo free; fi
}

lk_check() { # DIRECTORY NAME
    lk_enter "$1" "$2" && lk_report
}

# DIRECTORY NAME OWNER LABEL NOTE NONCE. Taking a lock that is there changes nothing: the answer names its holder.
lk_take() {
    lk_enter "$1" "$2" || return
    why=$(umask 077 && mkdir -p "$base/.locks" 2>&1) || rj_fail lock_failed "$why" || return
    mine=$base/.locks/.$6
    if ! [ -e "$lock" ]; then
        why=$(umask 077 && printf '%s\n' "owner $3" "label $4" "note $5" "since $(date -u +%Y-%m-%dT%H:%M:%SZ)" 2>&1 >"$mine" &&
            sync "$mine" && { ln "$mine" "$lock" 2>&1 || [ -e "$lock" ]; }) || {
            rm -f "$mine"
            rj_fail lock_failed "cannot write $lock: $why"
            return
        }
        rm -f "$mine"
        sync "$base/.locks"
    fi
    lk_report
}

lk_release() { # DIRECTORY NAME OWNER. One that is free, or has another holder, stays as it is.
    lk_enter "$1" "$2" || return
    owner=
    { read -r _ owner <"$lock"; } 2>/dev/null
    [ "$owner" != "$3" ] || why=$(rm -f "$lock" 2>&1) || rj_fail lock_failed "cannot remove $lock: $why" || return
    lk_report
}

# DIRECTORY NAME OWNER BY REASON: a person removes the lock of OWNER. What is not logged is not removed, nor one of another owner.
lk_break() {
    lk_enter "$1" "$2" || return
    owner=
    log=$base/.locks/.released
    { read -r _ owner <"$lock"; } 2>/dev/null
    if [ -e "$lock" ] && [ "$owner" = "$3" ]; then
        why=$(umask 077 && printf '%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ) lock $2 of $3, released by $4: $5" 2>&1 >>"$log" && sync "$log") ||
            rj_fail lock_failed "cannot write $log: $why" || return
        why=$(rm -f "$lock" 2>&1) || rj_fail lock_failed "cannot remove $lock: $why" || return
    fi
    lk_report
}
