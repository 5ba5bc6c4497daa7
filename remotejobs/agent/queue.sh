# shellcheck shell=sh disable=SC2015,SC2034,SC2154,SC3013
# Locks and slots: which job waits for which on this host. Sent behind job.sh, whose names it uses; queue_wait.sh draws the tickets.
#
# BASE/.queue/HOST/NUMBER.NONCE   a ticket, there from before its job waits until it has ended. One line:
#                                 JID SUPERVISOR BIRTH NAME=MOST ...
#                                 HOST is MACHINE-ID.NAME.BOOT.WORLD, as hosts may share this directory.
#
# Files in the directory of a job that waits, before its gate:
#   queued     what is known of it until then                              written by rj_queued
#   line       FIFO; its write end is held open by the supervisor as long as it waits
#   refused    why it could not be started when its turn came              written by rj_start
#
# A job goes on when, for each NAME that it wants, fewer than MOST living tickets before its own want it too. So no
# job takes a lock, and there is none to give back: the order of the tickets says whose it is. It ends with its holder, and
# the first of all waits for none, so that no two wait for each other.

every='' standing=''

rj_line() { # -> $queue
    rj_host
    queue=${host#* } queue=$base/.queue/${host%% *}.${host##* }.$boot.${queue%% *}
}

rj_leave() { [ -z "$wants" ] || rm -f "$queue/$ticket"; }

rj_ticket() { { read -r t_jid t_sup t_born t_wants <"$path"; } 2>/dev/null; } # of $path

# Does this ticket still hold? Its supervisor lives, or was killed and the command, or the reaper of what it left, runs
# on. One that does not is removed, as it is never drawn again.
rj_holds() {
    rj_alive "$t_sup" "$t_born" && return
    (rj_clear && rj_load "$base/$t_jid/job" && [ "$j_sup $j_sup_born" = "$t_sup $t_born" ] &&
        { rj_alive "$j_pid" "$j_pid_born" || rj_alive "$j_reaper" "$j_reaper_born"; }) && return
    rm -f "$path"
    return 1
}

# TICKET -> $standing: the living ones that stand before it, or all, one a line. Reading them is what costs, so $every is
# set by a request for many jobs: then they are read once.
rj_stand() {
    if [ -n "$every" ]; then
        case $standing in *"$1 "*) return ;; esac
    fi
    standing=
    for path in "$queue"/*; do
        [ "${path##*/}" != "$1" ] || [ -n "$every" ] || break
        rj_ticket && rj_holds || continue
        standing="$standing${path##*/} $t_jid $t_wants
"
    done
}

# TICKET NAME=MOST ... -> is it kept waiting? $keeps says by whom, $watch is the FIFO that closes when that changes,
# or `soon`; empty where any of several may end.
rj_kept() {
    mine=$1
    shift
    rj_stand "$mine"
    for want in "$@"; do
        rj_before "$mine" "${want%=*}"
        most=${want##*=}
        [ "$before" -ge "$most" ] || continue
        case $want in
        lock:*) keeps="waits for lock ${want#lock:}" keeps="${keeps%=*}, held by $holder" ;;
        *) keeps="waits for one of $most slots" pool=${want#slots:} pool=${pool%=*} keeps="$keeps${pool:+ in $pool}" ;;
        esac
        keeps="$keeps; number $((before - most + 1)) in line"
        return 0
    done
    return 1
}

# TICKET NAME -> $before, how many stand before it for that name; $holder is the first of them. $watch is the line of
# the last that waits itself, or the end of the only one that runs.
rj_before() {
    before=0 holder='' watch='' line='' soon=
    words=$IFS IFS='
'
    set -f
    for stands in $standing; do
        case $stands in "$1 "*) break ;; *" $2="*) ;; *) continue ;; esac
        t_jid=${stands#* } t_jid=${t_jid%% *}
        before=$((before + 1)) holder=${holder:-$t_jid}
        if [ -p "$base/$t_jid/line" ]; then
            line=$base/$t_jid/line
        elif [ -e "$base/$t_jid/job" ]; then
            watch=$base/$t_jid/events
        else
            soon=soon # it has only just come, or its turn has
        fi
    done
    set +f
    IFS=$words
    [ "$before" -eq 1 ] || watch=
    watch=${line:-${soon:-$watch}}
}

# What is true of a job whose gate has not been taken, or was taken by a kill. `queued` is loaded.
rj_judge_queued() {
    rj_line
    if [ "$boot" = "$j_boot" ] && rj_alive "$j_sup" "$j_sup_born"; then
        j_state=queued
        rj_since "$j_clock"
        j_delta=$delta
        if [ "$pstate" = T ]; then
            j_msg="its supervising process $j_sup is stopped by a signal"
        else
            # shellcheck disable=SC2086
            rj_kept "$j_ticket" $j_wants && j_msg=$keeps || j_msg="its turn has come"
        fi
        [ "$j_timer" = 0 ] || rj_timed "the queue timeout"
    elif [ -e job ] && ! [ job -ef queued ]; then # its turn came between two scans
        rj_state
    elif [ job -ef queued ] && rj_alive "$j_timer" "$j_timer_born"; then
        j_state=queued j_msg="its queue timeout is exceeded, and it is being ended"
    elif rj_load result; then # its end was written between two scans
        return
    elif [ job -ef queued ]; then
        rj_lost never "a kill took it out of the line and did not record its end: nothing was run, and now nothing can be; kill it again"
    elif [ -s refused ]; then
        rj_lost never "its turn came, and it could not be started: $(head -n 1 refused); start it again"
    elif [ "$boot" != "$j_boot" ]; then
        rj_lost never "the host was rebooted while the job was queued: the command was not run; start it again"
    else
        rj_lost never "its supervising process $j_sup was gone before its turn came: the command was not run; start it again"
    fi
}

# STATE MESSAGE: end a job that is queued. With its gate taken for nothing it can never run, and nothing runs but the
# shell that waits. Its end is written first and that shell killed then, since its death wakes what waits for the job.
# False when its turn came first.
rj_dequeue() {
    ln queued job 2>/dev/null || [ job -ef queued ] || return
    rm -f "$base"/.queue/*".$j_boot."*/"$j_ticket"
    state=$1 msg=$2 rc='' signal='' survivors='' left='' grade='' unseen='' began=$j_clock nonce=$j_nonce now=
    rj_finish
    tries=0
    while rj_alive "$j_sup" "$j_sup_born"; do
        tries=$((tries + 1))
        if [ -p line ] || [ "$tries" -gt 50 ]; then kill -KILL "$j_sup"; fi
        rj_nap
    done
    rm -f line "death.$nonce" "gate.$nonce"
}
