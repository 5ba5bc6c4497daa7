# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# Ending all that a job started, with proof. Sent behind tree.sh, which finds it.

# NAME of a signal, to the whole $tree. While the command lives its group is the job's, with processes we cannot see.
rj_signal_tree() {
    for one in $tree; do kill -"$1" "${one%:*}"; done
    ! rj_alive "$j_pid" "$j_pid_born" || kill -"$1" "-$j_pid"
} 2>/dev/null

# Stop all processes of the job, until a scan finds no new one: a stopped process starts nothing, and no shell goes on
# to its next command because the one it waits for died first.
rj_freeze() { # RESTLESS: how strict the scans are to be
    rounds=0
    while [ -n "$tree" ] && [ "$rounds" -lt 20 ]; do
        rounds=$((rounds + 1)) still=$tree
        rj_signal_tree STOP
        rj_tree
        rj_grown "$still" || break
        [ "$reaper_now" != 0 ] || restless=$1
    done
}

# CENTISECONDS of grace: the whole $tree is stopped, gets TERM while no process runs, and is continued; what is left after
# the grace is stopped and killed until a scan finds nothing, or for 10 s. -> $tree is what survived. If there are new ones
# between STOP and the end, the job is $restless.
rj_sweep() {
    rj_freeze ''
    restless=''
    rj_signal_tree TERM
    rj_signal_tree CONT
    rj_clock
    ends=$((clock + $1))
    while [ -n "$tree" ] && rj_clock && [ $((ends - clock)) -gt 0 ]; do
        if rj_any; then rj_nap; else rj_tree; fi
    done
    [ -z "$tree" ] || rj_tree
    rj_clock
    ends=$((clock + 1000)) tries=0
    while [ -n "$tree" ] && rj_clock && { [ "$tries" -lt 4 ] || [ $((ends - clock)) -gt 0 ]; }; do
        tries=$((tries + 1))
        rj_freeze 1
        [ ! -w "$j_cgroup/cgroup.kill" ] || echo 1 >"$j_cgroup/cgroup.kill"
        rj_kill_tree
        killed=$tree
        rj_any && rj_nap
        rj_tree
        rj_grown "$killed" || :
    done
}

# KILL to the whole $tree. A process with a child that we may not signal, as sudo has, gets TERM for it once more and
# is killed later: killed, it could pass nothing on.
rj_kill_tree() {
    spared=' '
    for one in $tree; do
        [ "$tries" -le 2 ] && rj_lives "$one" && ! kill -0 "${one%:*}" 2>/dev/null || continue
        while rj_stat "${one%:*}"; do
            case " $tree" in *" $parent:"*) spared="$spared$parent " one=$parent ;; *) break ;; esac
        done
    done
    for one in $tree; do
        pid=${one%:*}
        case $spared in
        *" $pid "*) kill -TERM "$pid" && kill -CONT "$pid" ;;
        *) kill -KILL "$pid" ;;
        esac
    done 2>/dev/null
}

rj_grown() { # TREE: is a process in $tree that was not in that one? Then the job is restless.
    for one in $tree; do
        case " $1" in *" $one "*) continue ;; esac
        [ "$reaper_now" != 0 ] || restless=1
        return 0
    done
    return 1
}

# FILE to link -> proof. False when the job has ended or another process is ending it. Where a user may start no more
# processes, a shell that tries to start one exits, now or later, and its trap does what needs no process.
rj_end() {
    ender=$1 claimed=
    trap 'trap - EXIT; rj_make_room; [ -z "$claimed" ] || rj_prove' EXIT
    if ln "$1" ending 2>/dev/null; then
        claimed=1
        rj_prove
    fi
    trap - EXIT
    [ -n "$claimed" ]
}

# Claim the end, if no other process has, and end the tree by what the shell can do by itself: scans by family, session and
# group alone, no sleep, and the cause of the end in a file of its own instead of a link. Then wait until there is room: a
# dead process counts until its parent has waited for it.
rj_make_room() {
    tree=''
    set -C
    [ -e "$dir/ending" ] || { { printf '%s\n' "$ender" >"$dir/ending"; } 2>/dev/null && claimed=1; }
    set +C
    rj_family STOP
    rj_signal_tree TERM
    rj_signal_tree CONT
    rj_clock
    ends=$((clock + j_grace * 100))
    while rj_any && rj_clock && [ $((ends - clock)) -gt 0 ]; do :; done
    rj_family STOP
    rj_signal_tree KILL
    rj_clock
    ends=$((clock + 1000))
    for one in $tree; do
        while rj_stat "${one%:*}" && [ "$born" = "${one#*:}" ] && rj_clock && [ $((ends - clock)) -gt 0 ]; do :; done
    done
}

rj_family() { # NAME of a signal, to all in the session and the group of the command and their descendants -> $tree
    more=1
    while [ -n "$more" ]; do
        more=
        for path in "$rj_proc"/[0-9]*; do
            one=${path##*/}
            rj_stat "$one" || continue
            case " $tree" in *" $one:$born "*) continue ;; esac
            [ "$one:$born" = "$j_pid:$j_pid_born" ] || [ "$session" = "$j_pid" ] || [ "$group" = "$j_pid" ] ||
                case " $tree" in *" $parent:"*) ;; *) false ;; esac || continue
            kill -"$1" "$one" 2>/dev/null
            tree="$one:$born $tree" more=1
        done
    done
}

rj_ending() { # -> $ends_by: which FILE the end was claimed with, by link or by name; false where it ended by itself
    # shellcheck disable=SC3013 # -ef is POSIX since 2024 and older than that in all shells
    for ends_by in job heard "$j_cmd"; do [ ! "$dir/ending" -ef "$dir/$ends_by" ] || return 0; done
    ends_by=
    { read -r ends_by <"$dir/ending"; } 2>/dev/null
    [ -n "$ends_by" ]
}

# Is the process that ends this job still at work? One that has not written its pid yet is believed for 5 s since $asked.
rj_proving() {
    [ ! -e "$dir/proof" ] || return
    if { read -r prover prover_born prover_ends <"$dir/prover"; } 2>/dev/null; then
        rj_alive "$prover" "$prover_born"
    else
        prover_ends=0
        rj_clock && [ $((clock - asked)) -lt 500 ]
    fi
}

# The process that claimed the end died before it was done, or is stopped: the supervisor still waits.
rj_take_over() {
    rj_alive "$j_sup" "$j_sup_born" || rj_alive "$j_reaper" "$j_reaper_born" || return
    [ ! -e "$dir/proof" ] || return
    ! rj_proving || [ "$pstate" = T ] || return
    ! rj_ending || rj_prove
}

# Ends the tree and writes the proof, in a process of its own. If that dies midway the job would stay stopped, so the work
# is done again where it left no proof.
rj_prove() {
    rj_end_tree &
    wait "$!"
    [ -e proof ] || rj_end_tree
}

rj_end_tree() {
    rj_self
    me_born=$born
    rj_clock
    { printf '%s\n' "$me $me_born $((clock + j_grace * 100))" >"$dir/prover"; } 2>/dev/null
    rj_scan
    rj_ending && [ "$ends_by" = "$j_cmd" ] || rj_picture
    { printf '%s\n' "$tree" >known; } 2>/dev/null
    rj_sweep "$((j_grace * 100))"
    rj_survivors
    [ -e result ] || printf '%s\n' "$survivors" "$left" "$grade" "$unseen" >"proof.$me" && mv "proof.$me" proof
    # shellcheck disable=SC2086 # no word where there is no reaper
    kill -CONT "$j_sup" ${j_reaper#0} 2>/dev/null # a stopped supervisor could not write the result
}

# -> $survivors for people, $left for a later kill; where no process is left, the $grade of the proof, and $unseen.
rj_survivors() {
    survivors='' left=$tree grade='' unseen=''
    [ -z "$blind" ] || survivors="unknown ($blind)"
    for one in $tree; do
        pid=${one%:*}
        read -r name 2>/dev/null <"$rj_proc/$pid/comm" || name=
        survivors="${survivors:+$survivors }$pid($name)"
    done
    [ -n "$survivors" ] || ! grep -q '^populated 1' "$j_cgroup/cgroup.events" 2>/dev/null ||
        survivors="unknown (the cgroup $j_cgroup is not empty)"
    if [ -n "$survivors" ]; then
        return
    elif rj_first_ended; then
        grade=pidns
    elif [ -n "$j_cgroup" ] && { [ ! -d "$j_cgroup" ] || grep -q '^populated 0' "$j_cgroup/cgroup.events" 2>/dev/null; }; then
        grade=cgroup
    else
        grade=scan
        rj_unseen
    fi
}

# Has the job a pid namespace of its own, and its first process is gone? Then so are all that were in it.
rj_first_ended() { { read -r one one_born <"$dir/first"; } 2>/dev/null && ! rj_alive "$one" "$one_born"; }

# -> $unseen: processes that may be the job's as far as a scan can see: not older, with an environment closed to us.
rj_unseen() {
    unseen='' others=0
    if [ ! -d "$rj_proc/self" ]; then
        unseen='environments, for there is no /proc'
        return
    fi
    rj_uid self
    mine=$uid
    for path in "$rj_proc"/[0-9]*; do
        one=${path##*/}
        if [ -r "$path/environ" ] || ! rj_stat "$one"; then continue; fi
        case $pstate:$threads:$parent in [ZX]:1:* | *:2) continue ;; esac
        [ $((born - j_pid_born)) -ge 0 ] && rj_uid "$one" || continue
        read -r name 2>/dev/null <"$path/comm" || name=
        if [ "$uid" = "$mine" ]; then unseen="${unseen:+$unseen }$one($name)"; else others=$((others + 1)); fi
    done
    [ "$others" -eq 0 ] || unseen="${unseen:+$unseen, }$others of other users"
    rj_stat 1 || unseen="${unseen:+$unseen, }processes that $rj_proc hides"
}

rj_uid() { # PID -> $uid, the real one
    while read -r key uid _; do [ "$key" != Uid: ] || return 0; done <"$rj_proc/$1/status"
    return 1
} 2>/dev/null

# STATE MESSAGE: another process ends this job, and its proof is awaited as long as it is at work. If it died before, or the
# disk is full, we finish its work. The reaper's report is joined with it: the other may have seen what never was a child
# of the job.
rj_ended() {
    state=$1
    rj_load_tree
    if [ "$how" != ended ] || [ "$grade" = reaped ]; then
        reaped=$how$grade
        rj_clock
        asked=$clock
        while rj_proving; do
            [ -z "$reaped" ] || { rj_clock && [ $((clock - asked)) -lt 500 ] && [ "$pstate" != T ]; } || break
            rj_nap
        done
        rj_read_proof || [ -n "$reaped" ] || {
            rj_clock
            rest=$((prover_ends - clock))
            [ "$rest" -gt 0 ] && [ "$rest" -le 60000 ] || rest=0
            eval "${rj_ends-}"
            rj_scan && rj_sweep "$rest" && rj_survivors
        }
        [ -z "$reaped" ] || rj_join
    fi
    rj_proven "$2"
}

# Join what the kernel reported to the reaper with the proof: a process that is named there, lives and was no child of the
# job stays named, as does a cgroup into which others were put.
rj_join() {
    tree=$left
    rj_any && return
    survivors='' left='' grade=reaped unseen=''
    ! grep -q '^populated 1' "$j_cgroup/cgroup.events" 2>/dev/null ||
        survivors="unknown (the cgroup $j_cgroup is not empty)" grade=
}

rj_read_proof() { # -> $survivors $left $grade $unseen
    grade=scan unseen=''
    { read -r survivors && IFS= read -r left && read -r grade && read -r unseen; } 2>/dev/null <proof
}

rj_proven() { # MESSAGE -> $msg, with what became of the process tree
    case $survivors:$grade in
    :scan) msg="$1; no process of it was found${unseen:+, but not all could be seen: $unseen}" ;;
    :*) msg="$1; its process tree ${j_cgroup:+with its cgroup }is proven empty" ;;
    unknown*) msg="$1; NOT PROVEN EMPTY after KILL: $survivors" ;;
    *) msg="$1; STILL ALIVE after KILL: $survivors" ;;
    esac
}
