# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# The supervisor of a job, from the gate to the result, and its timer. Sent behind job.sh, whose names it uses.

rj_supervise() { # [NAME=VALUE ...], and all that rj_start has set
    exec 3>&1 >/dev/null 2>&1 </dev/null # 3: the ear of rj_detach
    trap '' HUP # the end of a login with a terminal, which sudo may give us
    timer=
    rj_self || {
        echo "no process can be seen there, neither in $rj_proc nor by ps, so nothing could be known of it" >&3
        return
    }
    sup=$me sup_born=$born
    rj_files || {
        eval "${rj_more-}"
        rj_unwritten >&3
        return
    }
    exec 9<>events
    cgroup='' first=''
    case $launcher in
    plain) ;;
    pidns) rj_pidns || return ;;
    *) rj_unit || return ;;
    esac
    [ "$wants$((limit + stall))" = 0 ] || eval "${rj_more-}"
    [ -z "$wants" ] || rj_queue || return
    rj_clock
    began=$clock
    [ "$((limit + stall))" -eq 0 ] || { rj_timer 3>&- 9>&- & timer=$! && rj_stat "$timer" && timer_born=$born; }
    tool='' rc=1 now='' gated=
    rj_gate
    if rj_too_much "$@"; then
        echo "the variables of env are $much characters, which is more than this host gives to a program; hand them over in a file" >&3
    else
        rj_tool
        if [ -n "$tool" ]; then
            (rj_adopt "$@")
            rc=$?
            # One that came so far as to try wrote in there; and of one that was killed, a child may be about to.
            [ -s "gate.$nonce" ] || [ "$rc" -gt 128 ] || tool=''
        fi
        [ -n "$tool" ] || {
            now=$(date -u '+%s %Y-%m-%dT%H:%M:%SZ')
            { (rj_launch "$@") 9>&-; rc=$?; } 2>"death.$nonce"
        }
    fi
    exec 3>&-
    umask 077
    if ! rj_gate_is_ours; then # nothing was run
        [ -z "$timer" ] || kill "$timer"
        rj_leave
        return
    fi
    how=
    if [ -n "$tool" ] && ! rj_heard; then # the reaper was killed, and the rc with it: the job is as lost as if we were
        rj_ending || return
        how='' rc=''
    fi
    rj_conclude
}

# The end, from $rc and what the reaper said, if there is one.
rj_conclude() {
    signal=
    [ -z "$rc" ] || rj_signal
    if [ "$how" = itself ] || { [ -z "$how" ] && [ -n "$rc" ] && rj_exclusive ending; } || ! rj_ending; then
        rj_exited
    else
        eval "${rj_over-}"
        case $ends_by in
        job) rj_ended timed_out "time limit of $limit s exceeded" && timer= ;;
        heard) rj_ended stalled "no output for $stall s" && timer= ;;
        *) rj_ended killed "killed on request" ;;
        esac
    fi
    [ -z "$timer" ] || kill "$timer"
    rj_finish || : >unwritten
    rj_leave
    exec 9>&-
    LC_ALL=C
    export LC_ALL
    exec rm -f "death.$nonce" "result.$nonce" "gate.$nonce" proof known prover reaped ${first:+first} ${wants:+queued refused}
}

rj_exited() {
    if [ "$rc" -eq 0 ]; then state=succeeded; else state=failed; fi
    msg='' survivors='' left='' grade='' unseen=
}

# NAME=VALUE ...: is that more than a program can be given here? It is tried before anything is done, and only of much.
rj_too_much() {
    much=0
    for word in "$@"; do much=$((much + ${#word})); done
    [ "$much" -ge 65536 ] || return
    tried=$(command -v sleep)
    ! (for word in "$@"; do export "RJ_000$word"; done && exec "$tried" 0) 2>/dev/null
}

rj_gate() { # -> $gate, what it says of the job before that has started
    gate="remotejobs 1
label $label
settings $settings
cmd $cmdfile
grace $grace
token $token
boot $boot
host $host
clock $began
supervisor $sup $sup_born
timer ${timer:-0} ${timer_born:-0}"
}

# shellcheck disable=SC3013
rj_gate_is_ours() { [ job -ef "gate.$nonce" ]; }

rj_launch() { # [NAME=VALUE ...] -> becomes the command
    trap - HUP
    rj_self
    if [ -n "$gated" ]; then
        # A process that sees our reaper dead, and no number of ours even then, knows that nothing will be run: see rj_state.
        echo "command $me $born" >>"gate.$nonce" || rj_give_up "cannot write $dir/gate.$nonce"
        rj_stat self && [ "$parent" = "$reaper" ] || exit 1
    else
        rj_take_gate
    fi
    cd "${chdir:-$HOME}" 2>/dev/null || { [ -z "$chdir" ] && cd /; } || rj_give_up "cannot change to $chdir"
    # The caller's variables are set last and by position: they may be called like ours.
    if command -v setsid >/dev/null; then rj_setsid=setsid; else rj_setsid=; fi
    rj_dir=$dir rj_count=$(($# + 4))
    # shellcheck disable=SC2086 # an interpreter may have options; without setsid there is no word
    set -- "$@" "REMOTEJOBS_TOKEN=$token" "REMOTEJOBS_DIR=$dir" "REMOTEJOBS_JID=$jid" \
        "REMOTEJOBS_PROGRESS=$dir/progress" $rj_setsid \
        ${first:+unshare --pid --fork --kill-child --mount --propagation unchanged sh -c "$first" "remotejobs $jid"} \
        $interpreter "$dir/$cmdfile"
    trap : PIPE # the caller may be gone: the gate is ours, so the command runs all the same
    echo "started $began $me ${now#* }" >&3 2>/dev/null
    exec 3>&-
    while [ "$rj_count" -gt 0 ]; do
        # shellcheck disable=SC2163 # NAME=VALUE as one word
        export "$1"
        shift
        rj_count=$((rj_count - 1))
    done
    exec "$@" </dev/null >>"$rj_dir/stdout" 2>>"$rj_dir/stderr"
}

rj_take_gate() {
    [ -z "$cgroup" ] || { echo 0 >"$cgroup/cgroup.procs"; } 2>/dev/null || cgroup=
    printf '%s\n' "$gate" "start ${now#* }" "epoch ${now%% *}" "command $me $born" \
        "reaper ${reaper:-0} ${reaper_born:-0}" ${cgroup:+"cgroup $cgroup"} end >>"gate.$nonce" ||
        rj_not_run "cannot write $dir/gate.$nonce"
    LC_ALL=C ln "gate.$nonce" job 2>/dev/null || { [ -e job ] && rj_not_run taken; } || why=$(ln "gate.$nonce" job 2>&1) ||
        rj_not_run "cannot make $dir/job: $why"
    # The next in the queue looks for this gate once our supervisor is dead: it sees the gate, or we see that death.
    [ -z "$wants" ] || rj_alive "$sup" "$sup_born" || rj_give_up "its supervising process $sup is gone"
    # In a directory that is being taken away the gate may be gone already, and be ours for nothing.
    rj_named || rj_give_up "$dir was taken away"
    LC_ALL=C sync "$cmdfile" job . || rj_give_up "cannot bring $dir to disk"
}

# FILE: made by us, or false. Without a process of its own, for there may be no room for one.
rj_exclusive() {
    set -C
    { true >"$1"; } 2>/dev/null
    made=$?
    set +C
    return "$made"
}

rj_not_run() { # WHY
    printf '%s\n' "$1" >&3
    exit 1
}

rj_give_up() { # WHY: the gate is ours, and we are still beside it
    rm -f job
    rj_not_run "$1"
}

# A status above 128 may be the command's own or a signal's. yash distinguishes them by number; the others print a line
# for a child that died by a signal (except INT and PIPE, which therefore stay unnamed).
rj_signal() {
    signal=
    if [ "$rc" -ge 384 ]; then
        rc=$((rc - 256)) signal=$(kill -l $((rc - 128)))
    elif [ "$rc" -gt 128 ] && [ -s "death.$nonce" ]; then
        signal=$(kill -l $((rc - 128)))
    fi
}

# The wall clock -> $now. Of a job that took less than 5 s it is known from its start, which saves a program; of a longer
# one the clock is asked, which may have been set.
rj_date() {
    now_is=${now%Z} now_is=${now_is##*:}
    case ${now:+$delta} in
    [0-4].*)
        now_is=$((${now_is#0} + ${delta%.*}))
        case $now_is in ?) now_is=0$now_is ;; esac
        if [ "$now_is" -lt 60 ]; then
            now="$((${now%% *} + ${delta%.*})) ${now#* }"
            now=${now%??Z}${now_is}Z
            return
        fi
        ;;
    esac
    now=$(date -u '+%s %Y-%m-%dT%H:%M:%SZ')
}

rj_fields() { # of the result, from $state $rc $signal $msg $now $delta
    printf '%s\n' "remotejobs 1" "state $state" "rc $rc" "signal $signal" "finish ${now#* }" "end_epoch ${now%% *}" \
        "delta $delta" "msg $msg" "survivors $survivors" "left $left" "proof $grade" "unseen $unseen" end
}

# Writes the result; never half, for one without its last line is none. Where there is no space for a new file, or there
# is a result already, it is written into the space that was kept, and takes the name when it is whole.
rj_finish() {
    rj_since "$began"
    rj_date
    tries=0
    if [ ! -e result ] && [ ! -L result ] && rj_exclusive result && rj_fields >result && LC_ALL=C sync result .; then return; fi
    until rj_fields 1<>"result.$nonce" && sync "result.$nonce" && mv -f "result.$nonce" result; do
        tries=$((tries + 1))
        [ "$tries" -lt 30 ] || return
        sleep 1
    done
    sync .
}

rj_timer() {
    why=''
    umask 077
    heard=$began heard_sizes='0 0'
    [ "$stall" -eq 0 ] || : >heard
    while rj_due; do rj_sleep; done
    trap - TERM
    # Our start may hang before the gate for longer than that, and what runs be the job of another start, or of another host.
    until rj_gate_is_ours; do
        if [ -e job ]; then
            rj_gate_is_ours || exit
        else
            rj_alive "$sup" "$sup_born" && rj_nap || exit
        fi
    done
    eval "${rj_ends-}"
    rj_load_tree
    rj_end "$why" && return
    rj_clock
    asked=$clock
    while rj_proving && [ "$pstate" != T ]; do sleep 1; done
    rj_take_over
}

rj_sleep() { # until $due, unless its sleep is killed; TERM ends both
    quit=''
    trap 'quit=1' TERM
    sleep "$(((due - clock + 99) / 100))" &
    nap=$!
    trap 'kill "$nap"; exit' TERM
    [ -z "$quit" ] || { kill "$nap" && exit; }
    wait "$nap"
}

# -> $due, when to check again; false when a limit is reached, and then $why is the file that says which. Output is
# checked for ten times within the idle timeout, and by whole seconds, so the job may live a tenth and a second longer. Times are
# compared by their difference, which is right also where numbers have 32 bits (mksh) and the host is up for 248 days.
rj_due() {
    rj_clock
    rest=
    if [ "$stall" -gt 0 ]; then
        rj_sizes
        [ "$sizes" = "$heard_sizes" ] || heard_sizes=$sizes heard=$clock
        why=heard
        rest=$((stall * 100 - (clock - heard)))
        [ "$rest" -gt 0 ] || return
        [ "$rest" -lt $((stall * 10)) ] || rest=$((stall * 10))
    fi
    if [ "$limit" -gt 0 ]; then
        left=$((limit * 100 - (clock - began)))
        [ "$left" -gt 0 ] || { why=job && return 1; }
        [ -n "$rest" ] && [ "$rest" -lt "$left" ] || rest=$left
    fi
    due=$((clock + rest))
}

# -> $sizes of both streams. Not their times, which a clock that is set makes meaningless; and not by opening them, for the
# job may have put a FIFO there.
rj_sizes() {
    set -f
    # shellcheck disable=SC2046 # the words of two lines of ls; the size is the fifth of each
    set -- $(unset TIME_STYLE BLOCK_SIZE LS_BLOCK_SIZE && LC_ALL=C ls -ln stderr stdout 2>/dev/null)
    set +f
    sizes="$5 ${14}"
}
