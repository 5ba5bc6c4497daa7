# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# What is asked of jobs that were started. Sent behind job.sh and queue.sh with every question, but with no start: each
# supervisor keeps in memory what was sent with its start.

# FUNCTION [WORD ...]: where this user may start no more processes, the shell that tries to ends: then the function
# answers, with what needs none.
rj_room() {
    roomless=$1
    shift
    asked_for=
    for word in "$@"; do
        asked_for="$asked_for=$word
"
    done
    trap 'trap - EXIT; rj_roomless' EXIT
    (:)
    trap - EXIT
}

rj_roomless() {
    no_room=1 words=$IFS IFS='
'
    set -f
    # shellcheck disable=SC2086 # a line is a word, with a sign before it for it may be empty
    set -- $asked_for
    set +f
    IFS=$words
    for word in "$@"; do
        shift
        set -- "$@" "${word#=}"
    done
    "$roomless" "$@"
    rj_close
}

rj_status_briefly() { # the words of rj_status
    rj_base "$1" || return
    shift 2
    while [ "$#" -ge 4 ]; do
        printf 'job %s\n' "$1"
        if rj_enter "$1"; then
            rj_state
            j_msg="${j_msg:+$j_msg; }no process can be started there: its user has as many as it may (ulimit -u)"
            rj_print brief
        fi
        shift 4
    done
}

# The words of rj_kill. What the shell can kill by itself makes room for the rest.
rj_kill_first() {
    rj_base "$1" && rj_enter "$2" || return
    rj_state
    j_grace=${3:-$j_grace} ender=$j_cmd claimed=
    [ "$j_state" != running ] || rj_make_room
    [ -z "$claimed" ] || rj_prove
    rj_kill_all "$@"
}

# DIRECTORY WAIT [JID OUT_FROM ERR_FROM MAX ...]: WAIT is how many seconds to wait, here, for one of them to end.
rj_status() {
    rj_room rj_status_briefly "$@"
    rj_base "$1" || return
    rest=$2
    shift 2
    [ "$rest" -eq 0 ] || rj_wait_jids "$rest" "$@"
    while [ "$#" -ge 4 ]; do
        printf 'job %s\n' "$1"
        if rj_enter "$1"; then
            rj_settled
            rj_print full "$2" "$3" "$4"
            rj_still
        fi
        shift 4
    done
}

# What was printed is of a directory that was there all the time. Otherwise its files may have gone one by one.
rj_still() { rj_named || rj_fail no_such_job "$dir was taken away while it was read"; }

rj_wait_jids() { # SECONDS [JID OUT_FROM ERR_FROM MAX ...]: returns at once when one of them does not run
    seconds=$1 dirs=0
    shift
    while [ "$#" -gt "$dirs" ]; do # each four words become one directory at the end of the list
        rj_enter "$1" >/dev/null && rj_state || return
        case $j_state in running | queued) ;; *) return ;; esac
        shift 4
        set -- "$@" "$dir"
        dirs=$((dirs + 1))
    done
    rj_wait "$seconds" "$@"
}

# SECONDS DIR...: wait until the supervisor of one of them ends, in whatever way, or its turn comes. A reader of the FIFO
# sees its last write end close; the reader's own write end is there only so that opening never blocks.
rj_wait() {
    seconds=$1
    shift
    {
        pids=
        for dir in "$@"; do
            {
                fifo=$dir/line
                [ -p "$fifo" ] || fifo=$dir/events
                # shellcheck disable=SC2094
                [ -p "$fifo" ] && exec 8<>"$fifo" 9<"$fifo" 8>&- && read -r _ <&9
                echo ended
            } &
            pids="$pids $!"
        done
        sleep "$seconds" &
        echo "$pids $!"
        wait "$!"
        echo elapsed
    } 2>/dev/null | {
        pids='' over='' # the first word may come before the list of those to end
        while [ -z "$pids" ] || [ -z "$over" ]; do
            read -r said || break
            case $said in ended | elapsed) over=1 ;; *) pids=$said ;; esac
        done
        # Of mksh, one that has only just started would not heed TERM.
        # shellcheck disable=SC2086 # a list of pids
        kill -KILL $pids 2>/dev/null
    }
}

# A directory that cannot be read is not one without jobs.
rj_readable() {
    if [ -e "$base" ]; then
        [ -r "$base" ] && [ -x "$base" ] || rj_fail bad_dir "$base cannot be read by this user"
    else
        case $(LC_ALL=C ls -d -- "$base" 2>&1) in
        *ermission*) rj_fail bad_dir "$base cannot be reached by this user" ;;
        esac
    fi
}

rj_list() { # DIRECTORY
    rj_base "$1" && rj_readable || return
    every=1 # for queue.sh
    for dir in "$base"/*/; do
        dir=${dir%/} jid=${dir##*/}
        rj_valid "$jid" >/dev/null && rj_own || continue
        rj_state
        [ "$j_state" != elsewhere ] && rj_named || continue
        printf 'job %s\n' "$jid"
        rj_print brief
    done
}

# The timer outlives a supervisor that was killed, so that the limit holds all the same; here it is no longer needed.
rj_untimed() { ! rj_alive "$j_timer" "$j_timer_born" || kill "$j_timer"; }

# DIRECTORY JID GRACE ('' for the job's own). Killing what has ended changes nothing.
rj_kill() {
    rj_room rj_kill_first "$@"
    rj_kill_all "$@"
}

rj_kill_all() { # the words of rj_kill
    umask 077
    rj_base "$1" && rj_enter "$2" || return
    rj_settled
    [ "$j_state" != elsewhere ] || rj_print brief || return
    if [ "$j_cause" = never ]; then
        cmdfile=cmd nonce=$$
        if rj_void; then
            j_msg="the command was not run, and now cannot be: its directory was taken away"
            rj_print brief
            return
        fi
        rj_settled # another process has the gate
    fi
    own_grace=${3:-$j_grace}
    case $j_state:$j_cause in
    queued:* | lost:never)
        rj_untimed
        rj_dequeue killed "killed on request while it was queued: nothing was run, and now nothing can be" || rj_settled
        ;;
    esac
    case $j_state:$j_cause:$j_survivors in
    running:*)
        j_grace=$own_grace
        rj_end "$j_cmd"
        rj_clock
        asked=$clock
        rj_wait "$((own_grace + 10))" "$dir"
        for _ in 1 2 3; do
            [ ! -e result ] && rj_proving && [ "$pstate" != T ] || break
            rj_wait 10 "$dir"
        done
        rj_take_over && rj_wait 10 "$dir"
        ;;
    lost:gone:*)
        rj_untimed
        rj_finish_off killed "killed on request after its supervising process was gone"
        ;;
    *:*:?*) rj_boot && [ "$boot" = "$j_boot" ] && rj_finish_off "$j_state" "${j_msg%%; *}" ;;
    esac
    rj_record full -1 -1 65536
    rj_still
}

rj_finish_off() { # STATE MESSAGE: end what is left of a job that has no supervisor any more, and say so in its result
    rj_scan
    [ -n "$tree$j_survivors" ] || return
    rj_sweep "$((own_grace * 100))"
    rj_survivors
    rj_self
    state=$1 rc=$j_rc signal=$j_signal began=$j_clock nonce=$me now=
    rj_proven "$2"
    rj_finish
}

# Tickets of this host from before its last boot: as with the jobs of that time, no holder of them lives.
rj_forget_boots() {
    rj_host
    for queue in "$base/.queue/${host%% *}.${host##* }".*; do
        case $queue in *".$boot."*) ;; *) rm -rf "$queue" ;; esac
    done
}

# DIRECTORY OLDER_THAN KEEP DRY: names and, unless DRY is 1, removes the jobs that ended at least OLDER_THAN seconds
# ago, but never one that runs and never the KEEP newest.
rj_clean() {
    rj_base "$1" && rj_readable || return
    every=1 # for queue.sh
    now=$(date +%s)
    for dir in "$base"/*/; do
        dir=${dir%/} jid=${dir##*/}
        rj_valid "$jid" >/dev/null && rj_own || continue
        rj_is_over && printf '%s %s\n' "$ended" "$jid"
    done | sort -rn | {
        kept=0
        while read -r ended jid; do
            kept=$((kept + 1))
            [ "$kept" -gt "$3" ] && [ "$((now - ended))" -ge "$2" ] || continue
            dir=$base/$jid listed=$ended
            # Another may stand here by now.
            rj_own && rj_is_over && [ "$ended" = "$listed" ] || continue
            [ "$4" = 1 ] || rj_take_away "$jid.$$" || continue
            printf 'job %s\n' "$jid"
            rj_print brief
            [ "$4" = 1 ] || { cd / && rm -rf "$base/.void.$jid.$$"; }
        done
        [ "$4" = 1 ] || { rm -rf "$base"/.void.* && rj_forget_boots; }
    }
}

# Has this job ended, and nothing of it runs? -> when it $ended
rj_is_over() {
    rj_state
    case $j_state:$j_cause:$j_survivors in
    running:* | queued:* | elsewhere:*) return 1 ;;
    lost:gone:* | *:*:?*) rj_scan && [ -z "$tree$blind" ] || return ;;
    esac
    # One that never ran has no time of its own; the day is find's coarse word for "not just now".
    ended=${j_end_epoch:-$j_epoch}
    [ -n "$ended" ] || { [ -n "$(find . -prune -mtime +0)" ] && ended=$((now - 86400)); }
}

rj_take_away() { # SUFFIX: out of its place, with us in it. With its gate taken, no start that hung can run it.
    cmdfile=cmd
    { [ -e job ] || rj_bar; } && rj_claim || return
    rj_untimed
    rj_move "$1"
}
