# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# Ending all that a job started, with proof. Sent behind job.sh, whose names it uses.

rj_load_tree() { rj_clear && rj_load job; }

# What is left of the job -> $tree: all that carry its token in their environment, all in its cgroup where it has one of
# its own, all in the command's session or group, and all descendants of those. Numbers of sessions may be taken anew
# once all of ours are gone, so they count only while the command, a bearer of the token, or one of an earlier look
# ($tree: pid:birth ...) holds them. A look that does not see ourselves saw too little. One that sees nobody proves
# nothing either while the job is $restless: whoever is listed and ends before he is read may leave children. Both are
# made again. $blind is why no look proved anything; those known before are known still.
rj_tree() {
    rj_self
    anchor=0 known=$tree looks=0
    ! rj_alive "$j_pid" "$j_pid_born" || anchor=1
    while [ "$looks" -lt 6 ]; do
        looks=$((looks + 1))
        tree=$(rj_processes 2>/dev/null | rj_ours 2>/dev/null)
        case $tree in
        *seen | ?*missed)
            tree=${tree%seen} tree=${tree%missed} blind=
            [ -z "$tree$restless" ] && rj_glimpsed || return 0
            restless=1
            ;;
        missed)
            blind='processes ended while they were looked at' restless=1
            [ "$looks" -eq 6 ] || sleep "$looks"
            ;;
        *)
            blind='the processes could not be listed'
            [ "$looks" -lt 3 ] || break
            ;;
        esac
    done
    tree=
    for one in $known; do ! rj_lives "$one" || tree="$tree$one "; done
    ! rj_alive "$j_pid" "$j_pid_born" || tree="$tree$j_pid:$j_pid_born "
}

# Is there a bearer of the token after all? All numbers about the one that was given last are read again and again: so
# those too are met that start the next and end at once.
rj_glimpsed() {
    for _ in 1 2 3; do
        read -r _ _ _ _ last <"$rj_proc/loadavg" || return
        set --
        until [ "$#" -eq 64 ]; do set -- "$@" "$rj_proc/$((last - 8 + $#))/environ"; done
        printf '%s\n' "REMOTEJOBS_TOKEN=$j_token" |
            LC_ALL=C grep -qzxF -f - "$@" "$@" "$@" "$@" "$@" "$@" "$@" "$@" && return
    done 2>/dev/null
    return 1
}

# rj_processes -> `PID:BIRTH ... VERDICT`: ours, and whether somebody was missed who may be ours. Not ours is who ended
# under our eyes when he was dead before, when we killed him, when he is older than the command, or when another lives in
# his session: where setsid is, ours is in the command's session or in one that it began.
rj_ours() {
    rj_apart=
    ! command -v setsid >/dev/null || rj_apart=1
    awk -v leader="$j_pid" -v since="$j_pid_born" -v anchor="$anchor" -v self="$me" -v known=" $known" \
        -v killed=" $killed" -v apart="$rj_apart" '
        function held(pid) { return pid == leader || session[pid] == leader || group[pid] == leader }
        function among(list, pid) { return index(list, " " pid ":" (pid in birth ? birth[pid] " " : "")) }
        match($0, /\/[0-9]+\/stat:/) {
            pid = substr($0, RSTART + 1, RLENGTH - 7)
            text[pid] = text[pid] substr($0, RSTART + RLENGTH)
            next
        }
        match($0, /\/[0-9]+\/environ$/) { bears[substr($0, RSTART + 1, RLENGTH - 9)] = 1 }
        match($0, /\/[0-9]+[?]$/) { listed[substr($0, RSTART + 1, RLENGTH - 2)] = 1 }
        /^(before|amid|after)$/ {
            split("", parent)
            for (pid in text) {
                sub(/^.*\) /, "", text[pid])
                split(text[pid], f, " ")
                group[pid] = f[3]; session[pid] = f[4]; birth[pid] = f[20] == "" ? 0 : f[20]
                if (f[1] !~ /^[ZX]?$/) parent[pid] = f[2]
                else if ($0 == "before") dead[pid] = 1
            }
            split("", text)
        }
        END {
            for (pid in parent) if (pid in bears || among(known, pid)) ours[pid] = 1
            for (pid in ours) if (held(pid)) anchor = 1
            for (pid in parent) if (anchor && held(pid)) ours[pid] = 1
            do { grown = 0
                for (pid in parent) if (!(pid in ours) && parent[pid] in ours) { ours[pid] = 1; grown = 1 }
            } while (grown)
            for (pid in ours) printf "%s:%s ", pid, birth[pid]
            for (pid in parent) if (apart && !(pid in ours) && session[pid] != leader) others[session[pid]] = 1
            for (pid in bears) listed[pid] = 1
            for (pid in listed) {
                if (pid in parent || pid in dead || among(killed, pid)) continue
                if (pid in bears || !(pid in birth) || birth[pid] >= since + 0 && !(session[pid] in others)) missed = 1
            }
            if (self in parent) printf missed ? "missed" : "seen"
        }'
}

# Where the job is restless: the stat of all processes `before`, the directories of all as `FILE?`, and their stat
# again, `amid`. Then the environment files that hold the token, read twice, for one that just becomes another program
# has none for a moment; and the stat of all `after` that, as `FILE:text`. Processes write their names and environments
# themselves: with its file before each line none is taken for another's.
rj_processes() {
    if [ -d "$rj_proc/self" ]; then
        [ -z "$restless" ] || { rj_stats before && printf '%s?\n' "$rj_proc"/[0-9]* && rj_stats amid; }
        # shellcheck disable=SC2062 # the pattern comes by -f
        for _ in 1 2; do
            printf '%s\n' "REMOTEJOBS_TOKEN=$j_token" | LC_ALL=C grep -lzxF -f - "$rj_proc"/[0-9]*/environ
        done
        [ -z "$j_cgroup" ] || find "$j_cgroup" -name cgroup.procs -exec cat {} + | sed 's|.*|/&/environ|'
        rj_stats after
    else
        ps -A -o pid= -o stat= -o ppid= -o pgid= |
            awk '{ printf "/%d/stat:? (?) %s %d %d %d\n", $1, $2, $3, $4, $4 }'
        echo after
    fi
}

rj_stats() { LC_ALL=C grep '' "$rj_proc"/[0-9]*/stat; echo "$1"; } # WHEN

rj_look() { tree=$j_left killed='' restless='' && rj_tree; }

rj_any() { # is one of $tree left? Without a new look at all processes.
    for one in $tree; do ! rj_lives "$one" || return 0; done
    return 1
}

rj_lives() { # PID:BIRTH; without /proc the tree holds no births
    case $1 in
    *:0) kill -0 "${1%:*}" 2>/dev/null ;;
    *) rj_alive "${1%:*}" "${1#*:}" ;;
    esac
}

rj_signal_tree() { for one in $tree; do kill -"$1" "${one%:*}" 2>/dev/null; done; } # NAME

# TERM to the whole $tree, CENTISECONDS of grace, then KILL until a look finds nobody. -> $tree is what survived. Before
# KILL all are made to stand still: else those that are not seen yet start more, in the places that the killed leave.
# If there are new ones then, the job is $restless.
rj_sweep() {
    rj_signal_tree TERM
    rj_signal_tree CONT
    rj_clock
    until=$((clock + $1))
    while [ -n "$tree" ] && rj_clock && [ "$clock" -lt "$until" ]; do
        if rj_any; then rj_nap; else rj_tree; fi
    done
    [ -z "$tree" ] || rj_tree
    tries=0
    while [ -n "$tree" ] && [ "$tries" -lt 30 ]; do
        tries=$((tries + 1))
        [ ! -w "$j_cgroup/cgroup.kill" ] || echo 1 >"$j_cgroup/cgroup.kill"
        rj_signal_tree STOP
        still=$tree
        rj_tree
        if rj_grown "$still" && [ "$tries" -lt 20 ]; then continue; fi
        rj_signal_tree KILL
        killed=$tree
        rj_any && rj_nap
        rj_tree
        rj_grown "$killed" || :
    done
}

rj_grown() { # TREE: is anybody in $tree who was not in that one? Then the job is restless.
    for one in $tree; do case " $1" in *" $one "*) ;; *) restless=1 && return 0 ;; esac done
    return 1
}

# FILE to link -> proof. False when the job has ended or somebody else is ending it.
rj_end() {
    ln "$dir/$1" "$dir/ending" 2>/dev/null || return
    rj_prove
}

rj_picture() { # what runs in $tree, for those who ask afterwards why it took so long
    pids=
    for one in $tree; do pids=${pids:+$pids,}${one%:*}; done
    ps -o pid,ppid,stat,etime,args -p "$pids" >processes || rm -f processes
}

# Whoever claimed the end died before it was done: the supervisor still waits.
rj_take_over() {
    rj_alive "$j_sup" "$j_sup_born" && [ ! -e "$dir/proof" ] || return
    # shellcheck disable=SC3013
    if [ "$dir/ending" -ef "$dir/job" ] || [ "$dir/ending" -ef "$dir/heard" ] || [ "$dir/ending" -ef "$dir/$j_cmd" ]; then
        rj_prove
    fi
}

rj_prove() { # ends the tree and writes the proof
    rj_look
    # shellcheck disable=SC3013
    [ "$dir/ending" -ef "$dir/$j_cmd" ] || rj_picture
    rj_sweep "$((j_grace * 100))"
    rj_survivors
    rj_self
    printf '%s\n' "$survivors" "$left" >"proof.$me" && mv "proof.$me" proof
    kill -CONT "$j_sup" 2>/dev/null # a stopped supervisor could not tell the end
}

rj_survivors() { # -> $survivors for people, $left for a later kill
    survivors='' left=$tree
    [ -z "$blind" ] || survivors="unknown ($blind)"
    for one in $tree; do
        pid=${one%:*}
        read -r name 2>/dev/null <"$rj_proc/$pid/comm" || name=
        survivors="${survivors:+$survivors }$pid($name)"
    done
    [ -n "$survivors" ] || ! grep -q '^populated 1' "$j_cgroup/cgroup.events" 2>/dev/null ||
        survivors="unknown (the cgroup $j_cgroup is not empty)"
}

# STATE MESSAGE: somebody ends this job; his proof is awaited. If it does not come in time, he died or the disk is full,
# and we finish his work.
rj_ended() {
    state=$1
    rj_load_tree
    rj_clock
    until=$((clock + j_grace * 100 + 500))
    while [ ! -e proof ] && rj_clock && [ "$clock" -lt "$until" ]; do rj_nap; done
    { read -r survivors && IFS= read -r left; } <proof || { rj_look && rj_sweep 0 && rj_survivors; }
    rj_proven "$2"
}

rj_proven() { # MESSAGE -> $msg, with what became of the process tree
    case $survivors in
    '') msg="$1; its process tree ${j_cgroup:+with its cgroup }is proven empty" ;;
    unknown*) msg="$1; NOT PROVEN EMPTY after KILL: $survivors" ;;
    *) msg="$1; STILL ALIVE after KILL: $survivors" ;;
    esac
}
