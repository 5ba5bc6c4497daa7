# shellcheck shell=sh disable=SC2154
# What a migration asks a host beside its jobs and its lock. Sent behind job.sh and lock.sh, whose functions it uses.

# DIRECTORY LOCK PATH ('' for the home): the lock's holder, and what is free there. Changes nothing.
mg_check() {
    lk_check "$1" "$2" || return
    space=${3:-$HOME}
    [ -e "$space" ] || rj_fail no_such_path "$space does not exist there" || return
    printf 'free_kib %s\n' "$(df -Pk "$space" | awk 'NR == 2 { print $4 }')"
}

# DIRECTORY GRACE JID...: ends what is left of the processes of jobs that have ended, and names what survived.
mg_prove() {
    rj_base "$1" || return
    grace=$2 alive=
    shift 2
    for jid in "$@"; do
        [ -d "$base/$jid" ] || continue
        rj_enter "$jid" && mg_sweep || return
        alive="$alive${survivors:+ $jid: $survivors}"
    done
    printf 'survivors %s\n' "${alive# }"
}

mg_sweep() { # the job in this directory -> $survivors
    survivors=
    rj_state
    case $j_state:$j_cause in
    running:) survivors="$j_pid(still running)" && return ;;
    elsewhere:*) survivors="unknown ($j_msg)" && return ;;
    lost:never | lost:rebooted) return ;; # it never ran, or no process outlived the reboot
    lost:gone) rj_untimed ;;
    esac
    rj_load_tree
    if [ -z "$j_token" ]; then survivors="unknown (the record is damaged)" && return; fi
    rj_scan
    rj_sweep "$((grace * 100))"
    rj_survivors
}
