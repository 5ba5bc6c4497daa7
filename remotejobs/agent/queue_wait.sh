# shellcheck shell=sh disable=SC2015,SC2094,SC2154
# Standing in line for locks and slots. Sent behind job.sh and queue.sh with a start that wants some, and only then.

# Stand in line until nothing is in the way; false when this start is not to run the job. A queued job costs its one
# shell: it reads a FIFO that the one before it holds open.
rj_queue() {
    rj_line
    watched='' queue_timer=
    why=$( (umask 077 && mkdir -p "$queue") 2>&1) && rj_draw || {
        echo "cannot stand in line in $queue: $(printf '%s' "${why:-disk full?}" | tr '\n' ' ')" >&3
        return 1
    }
    if rj_twin; then
        rj_leave
        echo taken >&3
        return 1
    fi
    # shellcheck disable=SC2086 # a list of words without any other signs
    while rj_kept "$ticket" $wants; do
        [ -n "$watched" ] || rj_queued || {
            rj_leave
            echo "cannot write in $dir" >&3
            return 1
        }
        case $watch in
        soon) rj_nap ;;
        '' | "$watched") sleep 1 7>&- 9>&- ;; # several run, or one whose command outlives its supervisor
        *) [ ! -p "$watch" ] || rj_await "$watch" ;;
        esac
        watched=${watch:-none}
    done
    [ -z "$watched" ] || { rm -f line && exec 7>&-; }
    [ -z "$queue_timer" ] || kill "$queue_timer"
    # A kill takes the gate first and looks for the line then. So it finds no line, or we find its gate.
    [ ! -e job ] || { rj_leave && return 1; }
}

# -> $ticket, behind all others. One that came to stand before another is drawn anew: so the holder of one sees all those
# that stand before it, and none comes to stand there later.
rj_draw() {
    while :; do
        rj_last
        ticket=$(printf '%08d' "$((1${last%%.*} - 99999999))").$nonce
        (umask 077 && printf '%s\n' "$jid $sup $sup_born $wants" >"$queue/.$nonce") &&
            mv "$queue/.$nonce" "$queue/$ticket" || return
        rj_last
        [ "$last" != "$ticket" ] || return 0
        rj_leave
    done
}

rj_last() { # -> $last, the ticket that stands behind all others
    for last in "$queue"/*; do :; done
    last=${last##*/}
    [ "$last" != '*' ] || last=00000000
}

# A start that was sent twice stands in line once. Is an earlier ticket of this job there, and there to stay?
rj_twin() {
    for path in "$queue"/*; do
        [ "${path##*/}" != "$ticket" ] || return
        while rj_ticket && [ "$t_jid" = "$jid" ] && rj_holds; do
            [ ! -e job ] || return 0
            rj_clear
            ! rj_load queued || [ "$j_ticket" != "${path##*/}" ] || return 0
            rj_nap
        done
    done
    return 1
}

# FIFO: wait, in this very process, until no process holds it open. Our own write end is only there so that opening it never
# blocks; a shell would keep a copy of it open beside the closed one, was it not for exec.
rj_await() {
    { exec 8>&- && read -r _ <&6; } 8<>"$1" 6<"$1"
}

rj_queued() { # lets requests, and the jobs behind us, see that we wait
    rj_clock
    [ "$queue_limit" -eq 0 ] || { rj_queue_timer 3>&- 9>&- & queue_timer=$! && rj_stat "$queue_timer"; }
    (umask 077 && { [ -p line ] || mkfifo line; } && printf '%s\n' "remotejobs 1" "label $label" "settings $settings" \
        "cmd $cmdfile" "boot $boot" "host $host" "epoch $(date +%s)" "clock $clock" "supervisor $sup $sup_born" \
        "timer ${queue_timer:-0} ${queue_timer:+$born}" "ticket $ticket" "wants $wants" "nonce $nonce" end >"queued.$nonce" &&
        mv "queued.$nonce" queued && : >refused) || {
        [ -z "$queue_timer" ] || kill "$queue_timer"
        return 1
    }
    exec 7<>line
    echo queued >&3
    exec 3>refused # why it could not be started when its turn came, if so
}

# Ends the job unless its turn comes in time; not where its supervisor is gone, as that job may be started again.
rj_queue_timer() {
    umask 077
    due=$((clock + queue_limit * 100))
    while rj_clock && [ $((due - clock)) -gt 0 ]; do rj_sleep; done
    trap '' TERM # the gate decides whether it is too late; its holder writes the result
    rj_alive "$sup" "$sup_born" && rj_clear && rj_load queued || return
    # shellcheck disable=SC2086
    rj_kept "$ticket" $wants || keeps="waits for its turn"
    keeps=${keeps%; number*}
    rj_dequeue timed_out "queue timeout of $queue_limit s exceeded: it waited${keeps#waits}; the command was never started"
}
