# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# What is true of a job, and how it is reported. Sent behind job.sh, whose names it uses.

# FILE of `key value` lines -> $j_key for each key known. False when it is missing or not whole.
rj_load() {
    whole=
    [ -f "$1" ] && [ -r "$1" ] || return 1 # a job may have put a FIFO there
    while IFS= read -r line; do
        value=${line#* }
        case ${line%% *} in
        remotejobs) j_protocol=$value ;; label) j_label=$value ;; settings) j_settings=$value ;;
        token) j_token=$value ;; cmd) j_cmd=$value ;; grace) j_grace=$value ;;
        boot) j_boot=$value ;; host) j_host=$value ;; start) j_start=$value ;; epoch) j_epoch=$value ;; clock) j_clock=$value ;;
        supervisor) j_sup=${value%% *} j_sup_born=${value#* } ;;
        timer) j_timer=${value%% *} j_timer_born=${value#* } ;;
        reaper) j_reaper=${value%% *} j_reaper_born=${value#* } ;;
        command) j_pid=${value%% *} j_pid_born=${value#* } ;; cgroup) j_cgroup=$value ;;
        state) j_state=$value ;; rc) j_rc=$value ;; signal) j_signal=$value ;; msg) j_msg=$value ;;
        survivors) j_survivors=$value ;; left) j_left=$value ;; proof) j_proof=$value ;; unseen) j_unseen=$value ;;
        ticket) j_ticket=$value ;; wants) j_wants=$value ;; nonce) j_nonce=$value ;;
        finish) j_end=$value ;; end_epoch) j_end_epoch=$value ;; delta) j_delta=$value ;;
        end)
            whole=1
            read -r key value && [ "$key" = command ] && j_pid=${value%% *} j_pid_born=${value#* }
            [ -n "$j_pid" ] || [ "$j_reaper" = 0 ] || j_pid=-1 j_pid_born=0 # its reaper is about to begin it
            break
            ;;
        esac
    done <"$1"
    [ -n "$whole" ]
}

rj_since() { # CLOCK -> $delta, seconds since then
    rj_clock
    delta=$((clock - $1))
    [ "$delta" -ge 0 ] || delta=0
    case $((delta % 100)) in ?) delta=$((delta / 100)).0$((delta % 100)) ;; *) delta=$((delta / 100)).$((delta % 100)) ;; esac
}

rj_clear() {
    j_protocol='' j_label='' j_settings='' j_token='' j_cmd=cmd j_grace=10 j_boot='' j_host='' j_start='' j_epoch='' j_clock=''
    j_sup='' j_sup_born='' j_timer=0 j_timer_born='' j_reaper=0 j_reaper_born='' j_pid='' j_pid_born='' j_state='' j_rc='' j_signal='' j_msg='' j_survivors='' j_left='' j_proof='' j_unseen='' j_runs='' j_end='' j_end_epoch='' j_delta='' j_ticket='' j_wants='' j_nonce='' j_cgroup=''
}

# Is the job that was loaded another host's, with which this one shares its home? Then nothing that is here says how it
# is: numbers of processes are of that host, and a boot id too.
rj_elsewhere() {
    [ -n "$j_host" ] || return
    rj_host
    ids="${host%% *} ${host##* }" j_ids="${j_host%% *} ${j_host##* }"
    if [ "$ids" = "$j_ids" ]; then
        [ "$boot" = "$j_boot" ] || return # the same, and it was rebooted
        case $host:$j_host in *' - '*) return 1 ;; esac # the first process of one of them was hidden
        [ "$host" != "$j_host" ] || return
    else
        case "$boot ${host% *}" in
        *' -'*) ;;
        "$j_boot ${j_host% *}") ! rj_renamed || return ;;
        esac
    fi
    j_state=elsewhere j_cause=elsewhere
    # shellcheck disable=SC2086 # three words each
    j_msg="$dir belongs to $(rj_host_words "$j_boot" $j_host), and this is $(rj_host_words "$boot" $host)"
}

# All but the name is the same: is it a new name of this host? A process of the job that lives here says so, where it has
# the same one. Otherwise only a machine's own first process, which is born with the kernel, is no other container's:
# those of two containers may be born in the same hundredth of a second.
rj_renamed() {
    [ "$renamed" != "$dir" ] || return 0 # it was so a moment ago, and what lived then may have ended
    if [ "$j_sup" != "$$" ] && rj_alive "$j_sup" "$j_sup_born"; then
        # Another container may have a process with that number and birth too, but not one more with those of the
        # reaper, in this directory.
        [ "$j_reaper" = 0 ] || rj_alive "$j_reaper" "$j_reaper_born" || return
        # shellcheck disable=SC3013
        [ "$rj_proc/self/ns/uts" -ef "$rj_proc/$j_sup/ns/uts" ] && [ "$rj_proc/$j_sup/cwd" -ef . ] || return
    else
        world=${host#* } world=${world%% *}
        [ "$world" -lt 200 ] 2>/dev/null || return
    fi
    renamed=$dir
}

rj_host_words() { # BOOT MACHINE-ID WORLD NAME
    printf 'the host %s (machine-id %s, boot %s, first process of %s)' "$4" "$2" "$1" "$3"
}

rj_lost() { # CAUSE MESSAGE
    j_state=lost j_cause=$1 j_msg=$2
}

# What is true of the job in this directory -> $j_state $j_cause $j_msg. `running` needs the supervisor's pid, its birth
# and the machine's boot to match; a result counts only when it is whole.
rj_state() {
    rj_clear
    j_cause=
    if [ ! -e job ] && [ -e queued ] && rj_load queued; then
        rj_elsewhere || rj_judge_queued
        return
    fi
    if ! rj_load job && ! { [ -e job ] && rj_load job; }; then # it may become whole between two reads
        if rj_barred; then
            rj_lost never "nothing was run, and now nothing can be: its gate was taken to take it away, which was cut off; kill it again"
        elif [ -e job ] || [ -e ending ] || [ -e result ] || [ -s stdout ] || [ -s stderr ]; then
            rj_lost damaged "the record is damaged: $dir/job is missing or not whole"
        else
            rj_lost never "the command was not run: its start was cut off or is still under way; start it again"
        fi
        return
    fi
    rj_elsewhere && return
    rj_load result && return
    # shellcheck disable=SC3013
    if [ -z "$j_pid" ] && [ job -ef queued ]; then # a kill has taken its gate and is about to say so
        rj_judge_queued
        return
    fi
    rj_boot
    if [ "$boot" != "$j_boot" ]; then
        rj_lost rebooted "the host was rebooted while the job ran"
    elif rj_alive "$j_sup" "$j_sup_born"; then
        j_state=running
        rj_since "$j_clock"
        j_delta=$delta
        [ "$pstate" != T ] || j_msg="its supervising process $j_sup is stopped by a signal"
        [ "$j_timer" = 0 ] || [ -e ending ] || rj_timed "the time limit"
    elif rj_load result; then # it ended between our two reads
        return
    elif rj_alive "$j_reaper" "$j_reaper_born"; then
        j_state=running
        rj_since "$j_clock"
        j_delta=$delta j_msg="its supervising process $j_sup is gone; its reaper $j_reaper stands in for it"
    elif [ -e result ]; then
        rj_lost damaged "the record is damaged: $dir/result is not whole"
    elif [ -e unwritten ]; then
        rj_lost disk_full "the command ended, but its result could not be written: disk full"
    elif { [ "$j_pid" != -1 ] || rj_load_tree; } && rj_alive "$j_pid" "$j_pid_born"; then # it says its number before it looks
        rj_lost gone "its supervising process $j_sup is gone; the command still runs as pid $j_pid"
        j_runs=1
    else
        rj_lost gone "its supervising process $j_sup is gone; the command runs no more and its rc is not known"
    fi
}

# The same when a start may be under way: its gate is whole within a moment, or it was cut off.
rj_settled() {
    tries=0
    while rj_state && [ -z "$j_settings" ] && [ "$tries" -lt 10 ]; do rj_nap && tries=$((tries + 1)); done
}

rj_record() { # brief | full OUT_FROM ERR_FROM MAX
    rj_state
    rj_print "$@"
}

rj_timed() { # LIMIT: what is the matter with its timer, if something is
    if ! rj_alive "$j_timer" "$j_timer_born"; then
        j_msg="${j_msg:+$j_msg; }its timer $j_timer is gone: $1 no longer holds"
    elif [ "$pstate" = T ]; then
        j_msg="${j_msg:+$j_msg; }its timer $j_timer is stopped by a signal: $1 does not hold until it goes on"
    fi
}

rj_print() {
    [ "$j_state" != elsewhere ] || rj_fail other_host "$j_msg" || return
    printf '%s\n' "results_dir $dir" "state $j_state" "rc $j_rc" "signal $j_signal" "label $j_label" "start $j_start" \
        "end $j_end" "delta $j_delta" "pid ${j_pid#-1}" "msg $j_msg" "survivors $j_survivors" "proof $j_proof" "unseen $j_unseen" "cause $j_cause" "still_runs $j_runs" "protocol $j_protocol"
    # Not of a FIFO, which would keep us.
    [ ! -f progress ] || [ ! -s progress ] || [ -n "${no_room-}" ] || printf 'progress %s\n' "$(tail -n 1 progress | head -c 200)"
    [ "$1" = brief ] || rj_blobs "$2" "$3" "$4"
    [ "$1" = brief ] || [ ! -e processes ] || rj_measured processes processes 0 16384
}

# OUT_FROM ERR_FROM MAX: at most MAX bytes of each from that offset on; -1 means the last MAX bytes.
rj_blobs() {
    set -f
    # shellcheck disable=SC2046 # the words of three lines of ls; the size is the fifth of each
    set -- "$1" "$2" "$3" $(unset TIME_STYLE BLOCK_SIZE LS_BLOCK_SIZE && LC_ALL=C ls -ln -- "$j_cmd" stderr stdout 2>/dev/null)
    set +f
    if [ "$#" -ne 30 ]; then # the job took one of them away, or put something else there
        rj_measured cmd "$j_cmd" 0 262144
        rj_measured stderr stderr "$2" "$3"
        rj_measured stdout stdout "$1" "$3"
        return
    fi
    rj_blob cmd "$j_cmd" "$8" 0 262144
    rj_blob stderr stderr "${17}" "$2" "$3"
    rj_blob stdout stdout "${26}" "$1" "$3"
}

rj_measured() { # NAME FILE FROM MAX: nothing of what is no file; /dev/zero would have no end
    if [ -f "$2" ] && [ ! -L "$2" ]; then
        rj_blob "$1" "$2" "$(wc -c <"$2")" "$3" "$4"
    else
        rj_blob "$1" "$2" 0 0 0
    fi
}

rj_sum() { # EXPRESSION -> $sum, also where the shell's numbers have 32 bits (mksh) and a file more than 2 GiB
    case $1 in
    *[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*) sum=$(awk "BEGIN { printf \"%.0f\", $1 }") ;;
    *) sum=$(($1)) ;;
    esac
}

# NAME FILE of $length bytes -> $short, by the shell alone: it costs less than a program. False where they are more than
# text, the file is no longer what it was, or the job still writes to it: what grows faster than a shell reads has no end.
rj_short() {
    case $1:$j_state:$j_runs in cmd:*) ;; *:running:* | *:1) return 1 ;; esac
    short='' line=
    while IFS= read -r line; do
        short="$short$line
"
        [ "${#short}" -le "$length" ] || return
    done <"$2"
    short=$short$line
    case $short in *[![:print:][:space:]]*) return 1 ;; esac
    [ "${#short}" -eq "$length" ]
} 2>/dev/null

# NAME FILE SIZE FROM MAX: a head line and then the very bytes. Of a directory that was taken away since it was measured
# blanks stand for them, so that the answer can be read to its end, which says so (rj_still).
rj_blob() {
    from=$4
    case $from in -*) rj_sum "$3 - $5" && from=$sum ;; esac
    case $from in -*) from=0 ;; esac
    rj_sum "$3 - $from"
    length=$sum
    case $length in -*) from=$3 length=0 ;; esac
    rj_sum "$5 - $length"
    case $sum in -*) length=$5 ;; esac
    printf 'blob %s %s %s %s\n' "$1" "$3" "$from" "$length"
    if [ "$length" -eq 0 ]; then
        :
    elif [ "$length" -eq "$3" ] && [ "$length" -le 500 ] && rj_short "$1" "$2"; then
        printf '%s' "$short"
    elif [ "$from" -eq 0 ]; then
        LC_ALL=C head -c "$length" "$2" || rj_named || printf "%${length}s" ''
    else
        rj_sum "$from + 1"
        { tail -c "+$sum" "$2" || rj_named || printf "%${length}s" ''; } | head -c "$length"
    fi
    echo
}
