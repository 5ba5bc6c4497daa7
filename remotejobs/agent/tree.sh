# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# Ending all that a job started, with proof. Sent behind job.sh, whose names it uses.

rj_load_tree() { rj_clear && rj_load job; }

# What is left of the job -> $tree, children before their parents: all that carry its token in their environment, all in
# its cgroup where it has one of its own, all children of its reaper, all in the command's session or group, and all
# descendants of those. Numbers of sessions may be taken anew once all of ours are gone, so they count only while the
# command, a bearer of the token, or one of an earlier look ($tree: pid:birth ...) holds them. A look that does not see
# ourselves saw too little. One that sees nobody proves nothing either while the job is $restless: whoever is listed and
# ends before he is read may leave children. Both are made again; not while its reaper lives, which proves more. $blind is
# why no look proved anything; those known before are known still.
rj_tree() {
    rj_self
    anchor=0 known=$tree looks=0 dim='' reaper_now=0
    [ -e "$dir/reaped" ] || ! rj_alive "$j_reaper" "$j_reaper_born" || reaper_now=$j_reaper
    ! rj_alive "$j_pid" "$j_pid_born" || anchor=1
    while [ "$looks" -lt 6 ]; do
        looks=$((looks + 1))
        tree=$(rj_processes 2>/dev/null | rj_ours 2>/dev/null)
        case $tree in
        *seen | ?*missed)
            tree=${tree%seen} tree=${tree%missed} blind=
            [ -z "$tree$restless" ] && [ "$reaper_now" = 0 ] && rj_glimpsed || return 0
            restless=1
            ;;
        'dim '*) # main threads that have ended: what their processes carry is to be read from another thread
            dim="$dim${tree#dim }" blind='the threads of a process could not be read'
            ;;
        missed)
            if [ "$reaper_now" != 0 ]; then tree='' blind='' && return; fi
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
            LC_ALL=C grep -qzxF -f - "$@" "$@" "$@" "$@" "$@" "$@" "$@" "$@" && return 0
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
        -v killed=" $killed" -v apart="$rj_apart" -v dim=" $dim" -v reaper="$reaper_now" '
        function held(pid) { return pid == leader || session[pid] == leader || group[pid] == leader }
        function among(list, pid) { return index(list, " " pid ":" (pid in birth ? birth[pid] " " : "")) }
        match($0, /\/[0-9]+\/stat:/) {
            pid = substr($0, RSTART + 1, RLENGTH - 7)
            text[pid] = text[pid] substr($0, RSTART + RLENGTH)
            next
        }
        { sub(/\/task\/[0-9]+\/environ$/, "/environ") }
        match($0, /\/[0-9]+\/environ$/) { bears[substr($0, RSTART + 1, RLENGTH - 9)] = 1 }
        match($0, /\/[0-9]+[?]$/) { listed[substr($0, RSTART + 1, RLENGTH - 2)] = 1 }
        /^(before|amid|after)$/ {
            split("", parent)
            for (pid in text) {
                sub(/^.*\) /, "", text[pid])
                split(text[pid], f, " ")
                group[pid] = f[3]; session[pid] = f[4]; birth[pid] = f[20] == "" ? 0 : f[20]
                if (f[1] !~ /^[ZX]?$/ || f[18] > 1) parent[pid] = f[2]
                if (f[1] == "Z" && f[18] > 1 && f[20] >= since + 0 && !index(dim, " " pid " ")) veiled[pid] = 1
                if (!(pid in parent) && $0 == "before") dead[pid] = 1
            }
            split("", text)
        }
        END {
            for (pid in parent) if (pid in bears || among(known, pid) || reaper && parent[pid] == reaper) ours[pid] = 1
            for (pid in ours) if (held(pid)) anchor = 1
            for (pid in parent) if (anchor && held(pid)) ours[pid] = 1
            do { grown = 0
                for (pid in parent) if (!(pid in ours) && parent[pid] in ours) { ours[pid] = 1; grown = 1 }
            } while (grown)
            for (pid in veiled) if (!(pid in ours)) news = news pid " "
            if (news) { printf "dim %s", news; exit }
            for (pid in ours) {
                depth[pid] = 0
                for (p = pid; parent[p] in ours && depth[pid] < 1000; p = parent[p]) depth[pid]++
                if (depth[pid] > deepest) deepest = depth[pid]
            }
            for (d = deepest + 0; d >= 0; d--) for (pid in ours) if (depth[pid] == d) printf "%s:%s ", pid, birth[pid]
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
        for one in $dim; do
            set -- "$@" "$rj_proc/$one"/task/*/environ
        done
        # shellcheck disable=SC2062 # the pattern comes by -f
        for _ in 1 2; do
            printf '%s\n' "REMOTEJOBS_TOKEN=$j_token" | LC_ALL=C grep -lzxF -f - "$rj_proc"/[0-9]*/environ "$@"
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

# Whom somebody saw before who did not come to the end of it is known still: with the command dead he may be nobody's.
rj_look() {
    [ -n "$j_left" ] || { IFS= read -r j_left <known; } 2>/dev/null
    tree=$j_left killed='' restless='' && rj_tree
}

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

# NAME of a signal, to the whole $tree. While the command lives its group is the job's, also who cannot be seen in there.
rj_signal_tree() {
    for one in $tree; do kill -"$1" "${one%:*}"; done
    ! rj_alive "$j_pid" "$j_pid_born" || kill -"$1" "-$j_pid"
} 2>/dev/null

# All of the job are made to stand still, until a look finds nobody new: what does not move starts nothing, and no shell
# goes on to its next command because the one it waits for died first.
rj_freeze() { # RESTLESS: how strict the looks are to be
    rounds=0
    while [ -n "$tree" ] && [ "$rounds" -lt 20 ]; do
        rounds=$((rounds + 1)) still=$tree
        rj_signal_tree STOP
        rj_tree
        rj_grown "$still" || break
        [ "$reaper_now" != 0 ] || restless=$1
    done
}

# CENTISECONDS of grace: the whole $tree is frozen, gets TERM while nobody moves, and may go on; what is left after the
# grace is frozen and killed until a look finds nobody, or for 10 s. -> $tree is what survived. If there are new ones
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

# KILL to the whole $tree. Whoever has a child that we may not signal, as sudo has, gets TERM for it once more and is
# killed later: killed, he could pass nothing on.
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

rj_grown() { # TREE: is anybody in $tree who was not in that one? Then the job is restless.
    for one in $tree; do
        case " $1" in *" $one "*) continue ;; esac
        [ "$reaper_now" != 0 ] || restless=1
        return 0
    done
    return 1
}

# FILE to link -> proof. False when the job has ended or somebody else is ending it. Where a user may start no more
# processes, the shell that tries to ends, be it now or later, and it does what needs none in its trap.
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

# Claim the end, if nobody has, and end the tree by what the shell can do by itself: looks by family, session and group
# alone, no sleep, and the name of why it ends in a file of its own instead of a link. Then wait until there is room: who
# is dead takes some until his parent takes note.
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

# What runs in $tree, for those who ask afterwards why it took so long: the columns of ps, whose options differ from host
# to host. Without /proc it is ps.
rj_picture() {
    [ -n "$tree" ] || return
    stats='' args=''
    if [ -d "$rj_proc/self" ]; then
        for one in $tree; do
            stats="$stats $rj_proc/${one%:*}/stat" args="$args $rj_proc/${one%:*}/cmdline"
        done
        rj_clock
        # shellcheck disable=SC2086 # one word a file
        {
            LC_ALL=C grep -H '' $stats | LC_ALL=C tr '\001-\011\013-\037\177' '?'
            LC_ALL=C grep -Haz '' $args | LC_ALL=C tr '\000-\037\177' '\n?'
        } 2>/dev/null | rj_drawn
    else
        for one in $tree; do args=${args:+$args,}${one%:*}; done
        ps -o pid,ppid,stat,etime,args -p "$args"
    fi >processes || rm -f processes
}

# A process's name is shown where it has no arguments: a kernel thread, or one that is just ending. The start of a process
# is in ticks, of which Linux tells everybody that there are 100 in a second, as in $clock.
rj_drawn() {
    LC_ALL=C awk -v now="$clock" '
        BEGIN { form = "%7s %7s %-4s %11s %s\n"; printf form, "PID", "PPID", "STAT", "ELAPSED", "COMMAND" }
        function age(seconds) {
            days = int(seconds / 86400); hours = int(seconds / 3600) % 24
            lead = days ? sprintf("%d-%02d:", days, hours) : hours ? sprintf("%02d:", hours) : ""
            return lead sprintf("%02d:%02d", int(seconds / 60) % 60, seconds % 60)
        }
        match($0, /\/[0-9]+\/(stat|cmdline):/) {
            split(substr($0, RSTART + 1), at, "/")
            text = substr($0, RSTART + RLENGTH)
            pid = at[1]
            if (at[2] ~ /^cmdline:/) {
                if (pid in args) args[pid] = args[pid] " " text; else args[pid] = text
                next
            }
            if (!(pid in stat)) pids[++many] = pid
            stat[pid] = stat[pid] text # a name may hold a newline
        }
        END {
            for (n = 1; n <= many; n++) {
                pid = pids[n]; name = fields = stat[pid]
                sub(/^[^(]*\(/, "", name); sub(/\) [^)]*$/, "", name); sub(/^.*\) /, "", fields)
                split(fields, f, " ")
                printf form, pid, f[2], f[1], age(int((now - f[20]) / 100)), pid in args ? args[pid] : "[" name "]"
            }
        }'
}

# Is whoever ends this job still at it? Of one who has not said who he is, that is believed for 5 s since $asked.
rj_proving() {
    [ ! -e "$dir/proof" ] || return
    if { read -r prover prover_born prover_ends <"$dir/prover"; } 2>/dev/null; then
        rj_alive "$prover" "$prover_born"
    else
        prover_ends=0
        rj_clock && [ $((clock - asked)) -lt 500 ]
    fi
}

# Whoever claimed the end died before it was done, or stands still: the supervisor still waits.
rj_take_over() {
    rj_alive "$j_sup" "$j_sup_born" || rj_alive "$j_reaper" "$j_reaper_born" || return
    [ ! -e "$dir/proof" ] || return
    ! rj_proving || [ "$pstate" = T ] || return
    ! rj_ending || rj_prove
}

# Ends the tree and writes the proof. Two are at it, for whoever dies meanwhile leaves a job that stands still: one does
# it, and the other does it again where no proof came of that.
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
    rj_look
    rj_ending && [ "$ends_by" = "$j_cmd" ] || rj_picture
    { printf '%s\n' "$tree" >known; } 2>/dev/null
    rj_sweep "$((j_grace * 100))"
    rj_survivors
    [ -e result ] || printf '%s\n' "$survivors" "$left" "$grade" "$unseen" >"proof.$me" && mv "proof.$me" proof
    # shellcheck disable=SC2086 # no word where there is no reaper
    kill -CONT "$j_sup" ${j_reaper#0} 2>/dev/null # a stopped supervisor could not tell the end
}

# -> $survivors for people, $left for a later kill; where nobody is left, the $grade of the proof, and $unseen.
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

# -> $unseen: who may be the job's, for all that a look can tell: not older, and with an environment that is closed to us.
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

# STATE MESSAGE: somebody ends this job, and his proof is awaited as long as he is at it. If he died before, or the disk
# is full, we finish his work. What the reaper said is joined with it: he may have seen what never was a child of the job.
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
            rj_look && rj_sweep "$rest" && rj_survivors
        }
        [ -z "$reaped" ] || rj_join
    fi
    rj_proven "$2"
}

# What the reaper was told by the kernel, and what the proof says: who was named there, lives and was no child of the job
# stays named, as does a cgroup into which others were put.
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
