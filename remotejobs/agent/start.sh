# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# The start of a job, up to its supervisor and the answer; and how a start that came to nothing goes away. Sent behind
# job.sh, whose names it uses.

# DIRECTORY JID CMD INTERPRETER CHDIR LIMIT STALL GRACE LABEL SETTINGS WANTS QUEUE_LIMIT LAUNCHER NONCE TOKEN
# [NAME=VALUE ...]
rj_start() {
    rj_base "$1" && rj_valid "$2" || return
    jid=$2 dir=$base/$2 text=$3 interpreter=$4 chdir=$5 limit=$6 stall=$7 grace=$8 label=$9
    shift 9
    # A request may be sent twice, and both arrive: files have names of their own then.
    settings=$1 wants=$2 queue_limit=$3 launcher=$4 nonce=$5.$$ token=$6
    shift 6
    [ -d "$base" ] || why=$(umask 077 && mkdir -p "$base" 2>&1) || rj_fail start_failed "$why" || return
    # shellcheck disable=SC3067 # -O is not POSIX, but in every shell that we know
    [ -O "$base" ] || rj_fail bad_dir "$base belongs to another user" || return
    [ -z "$chdir" ] || [ -d "$chdir" ] || rj_fail start_failed "chdir: $chdir is not a directory there" || return
    command -v "${interpreter%% *}" >/dev/null ||
        rj_fail start_failed "the interpreter ${interpreter%% *} was not found there" || return
    # The start that makes the directory writes cmd. One that finds it without a gate (a start that was cut off) brings a
    # file of its own, and the gate decides.
    cmdfile=cmd
    LC_ALL=C mkdir -m 700 "$dir" 2>/dev/null || {
        [ -d "$dir" ] || why=$(LC_ALL=C mkdir -m 700 "$dir" 2>&1) || [ -d "$dir" ] || rj_fail start_failed "$why" || return
        cmdfile=cmd.$nonce
    }
    if ! rj_own; then
        [ -e "$dir" ] || [ -L "$dir" ] || rj_fail start_failed "$dir $rj_gone" || return
        rj_fail start_failed "$dir belongs to another user or cannot be entered" || return
    fi
    [ ! -e cmd ] || cmdfile=cmd.$nonce
    if [ -e job ] || [ -e queued ]; then
        eval "${rj_more-}"
        if [ -e job ] || { rj_state && case $j_state in queued | elsewhere) ;; *) false ;; esac; }; then
            rj_attach
            return
        fi
    fi
    rj_detach "$@"
}

rj_not_started() { # WHY
    eval "${rj_more-}"
    why=$1
    rj_named || why="$dir $rj_gone"
    rj_void || rj_tidy
    rj_fail start_failed "$why"
}

# The mask for new files -> $mask, without a process where the system says it.
rj_mask() {
    { read -r _ && read -r key mask; } 2>/dev/null <"$rj_proc/self/status" && [ "$key" = Umask: ] || mask=$(umask)
}

# All that the start and the end will write to is made now: a disk that fills up later loses no result, because the
# space of the result is reserved by writing it, and is overwritten in place. Why it cannot be is said in the file that
# is there for what is said.
rj_files() {
    rj_mask
    umask 077
    {
        [ "$cmdfile" != cmd ] || set -C # one of another start is not overwritten
        printf '%s' "$text" >"$cmdfile" && set +C && printf '%1024s' '' >"result.$nonce" &&
            : >"gate.$nonce" && : >>stdout && : >>stderr && { [ -p events ] || LC_ALL=C mkfifo events || [ -p events ]; }
    } 2>"death.$nonce"
    made=$?
    set +C
    umask "$mask"
    return "$made"
}

rj_unwritten() { # what is said of files that rj_files could not make
    why=
    if [ -e "death.$nonce" ]; then read -r why <"death.$nonce"; else why=$({ : >"death.$nonce"; } 2>&1); fi
    echo "cannot write in $dir: ${why:-disk full?}"
}

# Take the gate for nothing, so that this job can never run any more, and take the directory away. False where another
# process has the gate.
rj_void() {
    if rj_bar; then
        rj_claim && rj_remove "$nonce"
    else # without an inode for a gate: only what holds nothing yet
        [ ! -e "$cmdfile" ] && rj_named && rmdir "$dir" 2>/dev/null
    fi
}

rj_bar() { # linking needs no space
    ln "$cmdfile" job 2>/dev/null || rj_barred || { [ ! -e "$cmdfile" ] && rj_exclusive job; }
}

rj_barred() { # was the gate taken for nothing?
    for one in cmd cmd.*; do
        # shellcheck disable=SC3013
        [ ! "$one" -ef job ] || return 0
    done
    return 1
}

# May we take this directory away, which can only be done by its name? Of two processes that claim it at once, each
# sees the other or is seen by it; the claim of a dead one does not count. Nothing else gives the name to another
# directory, so it stays ours until we have moved it.
rj_claim() {
    rj_self
    claim=void.$me.$born
    { ln job "$claim" 2>/dev/null || rj_exclusive "$claim"; } && ! rj_claimed && rj_named && return
    rm -f "$claim"
    return 1
}

rj_claimed() { # by a living process other than this?
    for one in void.*; do
        [ "$one" != 'void.*' ] && [ "$one" != "$claim" ] || continue
        one=${one#void.}
        ! rj_alive "${one%%.*}" "${one#*.}" || return 0
    done
    return 1
}

# SUFFIX: the directory, which we have claimed, is gone at once, or it is there as it was. What a killed rj_remove left,
# rj_clean removes.
rj_remove() { rj_move "$1" && cd / && rm -rf "$base/.void.$1"; }

rj_move() { mv "$dir" "$base/.void.$1" || { rm -f "$claim" && return 1; }; }

rj_tidy() { rm -f "result.$nonce" "death.$nonce" "gate.$nonce" "cmd.$nonce"; }

# The supervisor is the left end of a pipe: unlike a background command of a shell, it and the job have SIGINT and
# SIGQUIT at their defaults. The right end hears what it says, or that it died, and gives the answer. This shell would
# wait for both ends; having nothing more to do, it is killed (mksh heeds no TERM while it waits).
rj_detach() { # [NAME=VALUE ...]
    rj_host
    rj_supervise "$@" | {
        IFS= read -r said
        case $said in
        'started '*) rj_started "${said#* }" && { [ -z "${RJ_WAIT-}" ] || rj_stay; } ;;
        *) eval "${rj_more-}" && rj_unstarted "$said" ;;
        esac
        rj_close
        kill -KILL "$$"
    }
}

# "CLOCK PID DATE": what the record of a job says that has just started, from the one that is about to become its command.
rj_started() {
    # shellcheck disable=SC2086 # words without any other signs
    set -- $1
    rj_since "$1"
    printf '%s\n' "results_dir $dir" 'state running' 'rc ' 'signal ' "label $label" "start $3" 'end ' "delta $delta" "pid $2" \
        'msg ' 'survivors ' 'proof ' 'unseen ' 'cause ' 'still_runs ' 'protocol 1'
}

rj_unstarted() { # WHY
    case $1 in
    queued) rj_record brief && { [ -z "${RJ_WAIT-}" ] || rj_stay; } ;;
    taken) rj_tidy && rj_attach ;;
    *)
        if [ -s job ] && rj_load_tree; then # it ran, or nearly: the record says what is known
            rj_record brief
        else
            rj_not_started "${1:-the supervising process ended before it could say why}"
        fi
        ;;
    esac
}

# The job is there already: ours when it is the same command with the same settings, an error that shows both otherwise.
rj_attach() {
    rj_settled
    rj_named || rj_not_started '' || return
    if [ -z "$j_settings" ] || [ "$j_state" = elsewhere ]; then
        rj_print brief
    elif [ "$j_settings" = "$settings" ]; then
        printf 'attached 1\n'
        rj_print full -1 -1 65536
        rj_named || rj_not_started ''
    else
        rj_fail job_exists "$dir holds a job with another command or settings"
        rj_print full 0 0 0
    fi
}
