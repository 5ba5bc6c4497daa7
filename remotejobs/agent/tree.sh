# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# Finding all that a job started. Sent behind job.sh, whose names it uses.

rj_load_tree() { rj_clear && rj_load job; }

# What is left of the job -> $tree, children before their parents: all that carry its token in their environment, all in
# its cgroup where it has one of its own, all children of its reaper, all in the command's session or group, and all
# descendants of those. Numbers of sessions may be taken anew once all of ours are gone, so they count only while the
# command, a bearer of the token, or one of an earlier scan ($tree: pid:birth ...) holds them. A scan that misses our own
# process saw too little. One that finds nothing proves nothing either while the job is $restless: a process that is listed
# and exits before it is read may leave children. Both are repeated; not while the reaper lives, which proves more. $blind
# is why no scan proved anything; processes known before stay known.
rj_tree() {
    rj_self
    anchor=0 known=$tree scans=0 dim='' reaper_now=0
    [ -e "$dir/reaped" ] || ! rj_alive "$j_reaper" "$j_reaper_born" || reaper_now=$j_reaper
    ! rj_alive "$j_pid" "$j_pid_born" || anchor=1
    while [ "$scans" -lt 6 ]; do
        scans=$((scans + 1))
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
            blind='processes ended while they were scanned' restless=1
            [ "$scans" -eq 6 ] || sleep "$scans"
            ;;
        *)
            blind='the processes could not be listed'
            [ "$scans" -lt 3 ] || break
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

# rj_processes -> `PID:BIRTH ... VERDICT`: ours, and whether one was missed that may be ours. A process that exited
# during the scan is not ours if it was dead before, if we killed it, if it is older than the command, or if another lives in
# its session: where setsid is, ours is in the command's session or in one that it began.
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

# Processes that an unfinished end saw before stay known: with the command dead they may have lost every tie to it.
rj_scan() {
    [ -n "$j_left" ] || { IFS= read -r j_left <known; } 2>/dev/null
    tree=$j_left killed='' restless='' && rj_tree
}

rj_any() { # is one of $tree left? Without a new scan of all processes.
    for one in $tree; do ! rj_lives "$one" || return 0; done
    return 1
}

rj_lives() { # PID:BIRTH; without /proc the tree holds no births
    case $1 in
    *:0) kill -0 "${1%:*}" 2>/dev/null ;;
    *) rj_alive "${1%:*}" "${1#*:}" ;;
    esac
}

# What runs in $tree, to see afterwards why it took so long: the columns of ps, whose options differ from host
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
# is in ticks, of which Linux reports 100 a second to every program, as in $clock.
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
