# shellcheck shell=sh disable=SC2015
# The half of remotejobs that runs on the host. Python sends this text to `sh -s` and calls one entry at its end:
# rj_start, or one of ask.sh. It needs a POSIX shell and the usual small tools (mkdir, ln, mv, rm, ls, head, tail, tr,
# grep, awk, date, sleep, sync, mkfifo); where they are missing, ARCHITECTURE.md says what is lost. Nothing is installed.
#
# Files of a job's directory (0700; each file 0600), in the order in which they come to be:
#   cmd[.N]    the command, as it was sent                                 written by rj_start
#   events     FIFO; its write end is held open by the supervisor, so readers wake when it ends, however it ends
#   job        THE GATE: who supervises, who runs, since when. Created exclusively by rj_launch and on disk *before* the
#              command runs: whoever creates it runs the command, so that runs at most once, whoever starts it again
#   stdout, stderr                                                         written by the command
#   progress   its last line says how far it is                            written by the command, if it likes
#   heard      empty; the timer of a job with a stall limit touches it when there was output
#   processes  what ran when a limit ended the job: the lines of ps        written by whoever ended it
#   ending     why the job ends, by what it is a hard link to: the first to link it wins, and linking needs no space.
#              job: its time limit; heard: its stall limit; cmd: a kill; nothing else: it ended by itself
#   proof      what was left of the process tree after it was ended        written by whoever ended it: a line for
#              people and one of pid:birth for a later kill
#   result     the end: rc, signal, state; space reserved at the start, renamed into place when whole
# and of a job that has to wait for a lock or a slot (queue.sh), before its gate:
#   queued     what is known of it until then                              written by rj_queued
#   line       FIFO; its write end is held open by the supervisor as long as it waits
#   refused    why it could not be started when its turn came              written by whoever tried
#
# Every file of `key value` lines closes with the line `end`; one without it is not whole and is not believed.

rj_proc=/proc

# --- small things ----------------------------------------------------------------------------------------------------

rj_nap() { sleep 0.1 2>/dev/null || sleep 1; }

# A clock that does not jump, in hundredths of a second: $clock. Without /proc the wall clock has to do.
rj_clock() {
    if [ -r "$rj_proc/uptime" ] && read -r clock _ <"$rj_proc/uptime"; then
        clock=${clock%.*}${clock#*.}
    else
        clock=$(date +%s)00
    fi
}

rj_boot() { # -> $boot: what changes when the machine boots
    { read -r boot <"$rj_proc/sys/kernel/random/boot_id"; } 2>/dev/null || {
        boot=$(LC_ALL=C who -b 2>/dev/null | tr -s ' ' _)
        boot=${boot:-unknown}
    }
}

# PID -> $pstate $born. False when there is no such process. A pid alone proves nothing, a pid born then does.
rj_stat() {
    if [ -d "$rj_proc/self" ]; then
        { IFS= read -r stat <"$rj_proc/$1/stat"; } 2>/dev/null || return 1
        set -f
        # shellcheck disable=SC2086 # the fields behind the last ")" are meant to be split
        set -- ${stat##*) }
        set +f
        pstate=$1 born=${20}
    else
        stat=$(LC_ALL=C ps -o stat= -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _) || return 1
        [ -n "$stat" ] || return 1
        pstate=${stat%"${stat#?}"} born=${stat#*_}
    fi
}

rj_alive() { rj_stat "$1" && [ "$born" = "$2" ] && [ "$pstate" != Z ] && [ "$pstate" != X ]; } # PID BORN

rj_self() { # -> $me $born of this very process, which in a subshell is not $$
    if [ -d "$rj_proc/self" ]; then read -r me _ <"$rj_proc/self/stat"; else me=$(exec sh -c 'echo "$PPID"'); fi
    rj_stat "$me"
}

# shellcheck disable=SC2154 # RJ_END is set by the Python half: a line that nobody else knows
rj_close() { printf '%s\n' "$RJ_END"; }

rj_fail() { # CODE MESSAGE
    printf 'error %s %s\n' "$1" "$2"
    return 1
}

rj_valid() { # JID: the same rule as on the other side, so that no path can be made of it
    case $1 in
    '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*) rj_fail bad_jid "the jid is not allowed" ;;
    *) [ "${#1}" -le 100 ] || rj_fail bad_jid "the jid is longer than 100 characters" ;;
    esac
}

# DIRECTORY ('' for the default) -> $base. The home is the one in passwd: $HOME differs under sudo and in start-up files.
rj_base() {
    # shellcheck disable=SC2088 # the letter ~ is meant
    case $1 in
    /*) base=$1 ;;
    '' | '~' | '~/'*)
        user=$(id -un) home=$HOME
        case $user in '' | *[!A-Za-z0-9._-]*) ;; *) eval "home=~$user" ;; esac
        case $1 in '') base=$home/.remotejobs ;; *) base=$home${1#'~'} ;; esac
        ;;
    *) rj_fail bad_dir "the directory $1 is not absolute" ;;
    esac
}

# Into $dir, but not where another user put it: in a directory that others can write, he could make it before us.
# shellcheck disable=SC3067
rj_own() { [ ! -L "$dir" ] && { cd "$dir"; } 2>/dev/null && [ -O . ]; }

rj_enter() { # JID -> in its directory, with $dir. False, with an error said, when there is none.
    rj_valid "$1" || return 1
    jid=$1 dir=$base/$1
    rj_own && return
    rj_readable && rj_fail no_such_job "$dir does not exist"
}

# FILE of `key value` lines -> $j_key for each key known. False when it is missing or not whole.
rj_load() {
    whole=
    [ -f "$1" ] && [ -r "$1" ] || return 1 # a job may have put a FIFO there
    while IFS= read -r line; do
        value=${line#* }
        case ${line%% *} in
        remotejobs) j_protocol=$value ;; label) j_label=$value ;; settings) j_settings=$value ;;
        token) j_token=$value ;; cmd) j_cmd=$value ;; grace) j_grace=$value ;;
        boot) j_boot=$value ;; start) j_start=$value ;; epoch) j_epoch=$value ;; clock) j_clock=$value ;;
        supervisor) j_sup=${value%% *} j_sup_born=${value#* } ;;
        timer) j_timer=${value%% *} j_timer_born=${value#* } ;;
        command) j_pid=${value%% *} j_pid_born=${value#* } ;; cgroup) j_cgroup=$value ;;
        state) j_state=$value ;; rc) j_rc=$value ;; signal) j_signal=$value ;; msg) j_msg=$value ;;
        survivors) j_survivors=$value ;; left) j_left=$value ;;
        ticket) j_ticket=$value ;; wants) j_wants=$value ;; nonce) j_nonce=$value ;;
        finish) j_end=$value ;; end_epoch) j_end_epoch=$value ;; delta) j_delta=$value ;;
        end) whole=1 && break ;;
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

# --- start -----------------------------------------------------------------------------------------------------------

# DIRECTORY JID CMD INTERPRETER CHDIR LIMIT STALL GRACE LABEL SETTINGS WANTS QUEUE_LIMIT LAUNCHER NONCE TOKEN
# [NAME=VALUE ...]
rj_start() {
    rj_base "$1" && rj_valid "$2" || return
    jid=$2 dir=$base/$2 text=$3 interpreter=$4 chdir=$5 limit=$6 stall=$7 grace=$8 label=$9
    shift 9
    # shellcheck disable=SC2034 # the queue limit is for stand.sh
    settings=$1 wants=$2 queue_limit=$3 launcher=$4 nonce=$5 token=$6
    shift 6
    [ -d "$base" ] || why=$(umask 077 && mkdir -p "$base" 2>&1) || rj_fail start_failed "$why" || return
    # shellcheck disable=SC3067 # -O is not POSIX, but in every shell that we know
    [ -O "$base" ] || rj_fail bad_dir "$base belongs to another user" || return
    [ -z "$chdir" ] || [ -d "$chdir" ] || rj_fail start_failed "chdir: $chdir is not a directory there" || return
    command -v "${interpreter%% *}" >/dev/null ||
        rj_fail start_failed "the interpreter ${interpreter%% *} was not found there" || return
    # Whoever makes the directory writes cmd. Whoever finds it without a gate (a start that was cut off) brings a file
    # of his own, and the gate decides.
    cmdfile=cmd
    why=$(umask 077 && mkdir "$dir" 2>&1) || {
        [ -d "$dir" ] || rj_fail start_failed "$why" || return
        cmdfile=cmd.$nonce
    }
    rj_own || rj_fail start_failed "$dir belongs to another user or cannot be entered" || return
    if [ -e job ] || { [ -e queued ] && rj_judge && [ "$j_state" = queued ]; }; then
        rj_attach
    elif why=$(umask 077 && rj_files 2>&1); then
        rj_detach "$@"
    else
        rj_void || rj_tidy
        rj_fail start_failed "cannot write in $dir: $(printf '%s' "${why:-disk full?}" | tr '\n' ' ')"
    fi
}

# All that the start and the end will write to is made now: a disk that fills up later loses no result, because the
# space of the result is reserved by writing it, and it is overwritten in place.
rj_files() {
    printf '%s' "$text" >"$cmdfile" && printf '%1024s' '' >"result.$nonce" && : >"death.$nonce" &&
        : >>stdout && : >>stderr && { [ -p events ] || mkfifo events || [ -p events ]; }
}

# Take the gate for nothing, so that nobody can run this job any more, and take the directory away: linking needs no
# space. False where somebody else has the gate.
rj_void() {
    { ln "$cmdfile" job 2>/dev/null || [ ! -e "$cmdfile" ]; } && rj_remove "$nonce"
}

# SUFFIX: the directory is gone at once, or it is there as it was. What a killed rj_remove left, rj_clean removes.
rj_remove() { cd / && mv "$dir" "$base/.void.$1" && rm -rf "$base/.void.$1"; }

rj_tidy() { rm -f "result.$nonce" "death.$nonce" "cmd.$nonce"; }

# The supervisor is the left end of a pipe: unlike a background command of a shell, it and the job have SIGINT and
# SIGQUIT at their defaults. The right end hears what it says, or that it died, and gives the answer. This shell would
# wait for both ends; having nothing more to do, it is killed (mksh heeds no TERM while it waits).
rj_detach() { # [NAME=VALUE ...]
    rj_supervise "$@" | {
        IFS= read -r said
        case $said in
        started | queued) rj_record brief ;;
        taken) rj_tidy && rj_attach ;;
        *)
            if [ -s job ] && rj_load_tree; then # it ran, or nearly: the record says what is known
                rj_record brief
            else
                rj_void || rj_tidy
                rj_fail start_failed "${said:-the supervising process ended before it could say why}"
            fi
            ;;
        esac
        rj_close
        kill -KILL "$$"
    }
}

# The job is there already: ours when it is the same command with the same settings, an error that shows both otherwise.
rj_attach() {
    rj_settled
    if [ -z "$j_settings" ]; then
        rj_tell brief
    elif [ "$j_settings" = "$settings" ]; then
        printf 'attached 1\n'
        rj_tell full -1 -1 65536
    else
        rj_fail job_exists "$dir holds a job with another command or settings"
        rj_tell full 0 0 0
    fi
}

# --- the supervisor: one waiting shell for each job -------------------------------------------------------------------

rj_supervise() { # [NAME=VALUE ...], and all that rj_start has set
    exec 3>&1 >/dev/null 2>&1 </dev/null # 3: the ear of rj_detach
    trap '' HUP # the end of a login with a terminal, which sudo may give us
    timer=
    rj_self || {
        echo "no process can be seen there, neither in $rj_proc nor by ps, so nothing could be told of it" >&3
        return
    }
    sup=$me sup_born=$born
    exec 9<>events
    cgroup=
    [ "$launcher" = plain ] || rj_unit || return
    [ -z "$wants" ] || rj_queue || return
    rj_clock
    began=$clock
    [ "$((limit + stall))" -eq 0 ] || { rj_timer 3>&- 9>&- & timer=$! && rj_stat "$timer" && timer_born=$born; }
    { (rj_launch "$@") 9>&-; rc=$?; } 2>"death.$nonce"
    exec 3>&-
    umask 077
    rj_load_tree
    if [ "$j_token" != "$token" ]; then # the gate is not ours: nothing was run
        [ -z "$timer" ] || kill "$timer"
        rj_leave
        return
    fi
    rj_signal
    # shellcheck disable=SC3013 # -ef is POSIX since 2024 and older than that in all shells
    if rj_exclusive ending; then
        rj_exited
    elif [ ending -ef job ]; then
        rj_ended timed_out "time limit of $limit s exceeded"
        timer=
    elif [ ending -ef heard ]; then
        rj_ended stalled "no output for $stall s"
        timer=
    elif [ ending -ef "$cmdfile" ]; then
        rj_ended killed "killed on request"
    else
        rj_exited
    fi
    [ -z "$timer" ] || kill "$timer"
    rj_finish || : >unwritten
    rj_leave
    exec 9>&-
    rm -f "death.$nonce" "result.$nonce" proof ${wants:+queued refused}
    sync .
}

rj_exited() {
    if [ "$rc" -eq 0 ]; then state=succeeded; else state=failed; fi
    msg='' survivors='' left=
}

rj_launch() { # [NAME=VALUE ...] -> becomes the command
    trap - HUP
    rj_self
    [ -z "$cgroup" ] || { echo 0 >"$cgroup/cgroup.procs"; } 2>/dev/null || cgroup=
    rj_boot
    now=$(date -u '+%s %Y-%m-%dT%H:%M:%SZ')
    rj_exclusive job || { [ -e job ] && rj_not_run taken; } || rj_not_run "cannot make $dir/job"
    printf '%s\n' "remotejobs 1" "label $label" "settings $settings" "cmd $cmdfile" "grace $grace" "token $token" \
        "boot $boot" "start ${now#* }" "epoch ${now%% *}" "clock $began" "supervisor $sup $sup_born" \
        "timer ${timer:-0} ${timer_born:-0}" "command $me $born" ${cgroup:+"cgroup $cgroup"} end >>job || rj_give_up "cannot write $dir/job"
    # Whoever stands behind us looks for this gate once our supervisor is dead: he sees it, or we see that death.
    [ -z "$wants" ] || rj_alive "$sup" "$sup_born" || rj_give_up "its supervising process $sup is gone"
    cd "${chdir:-$HOME}" 2>/dev/null || { [ -z "$chdir" ] && cd /; } || rj_give_up "cannot change to $chdir"
    sync "$dir/$cmdfile" "$dir/job" "$dir" || rj_give_up "cannot bring $dir to disk"
    # The caller's variables are set last and by position: they may be called like ours.
    if command -v setsid >/dev/null; then rj_setsid=setsid; else rj_setsid=; fi
    rj_dir=$dir rj_count=$(($# + 4))
    # shellcheck disable=SC2086 # an interpreter may have options; without setsid there is no word
    set -- "$@" "REMOTEJOBS_TOKEN=$token" "REMOTEJOBS_DIR=$dir" "REMOTEJOBS_JID=$jid" \
        "REMOTEJOBS_PROGRESS=$dir/progress" $rj_setsid $interpreter "$dir/$cmdfile"
    trap : PIPE # whoever listened may be gone: the gate is ours, so the command runs all the same
    echo started >&3 2>/dev/null
    exec 3>&-
    while [ "$rj_count" -gt 0 ]; do
        # shellcheck disable=SC2163 # NAME=VALUE as one word
        export "$1"
        shift
        rj_count=$((rj_count - 1))
    done
    exec "$@" </dev/null >>"$rj_dir/stdout" 2>>"$rj_dir/stderr"
}

rj_exclusive() { (umask 077 && set -C && : >"$1") 2>/dev/null; } # FILE: made by us, or false

rj_not_run() { # WHY
    printf '%s\n' "$1" >&3
    exit 1
}

rj_give_up() { # WHY: the gate is ours
    rm -f "$dir/job"
    rj_not_run "$1"
}

# A status above 128 may be the command's own or a signal's. yash tells them apart by number; the others print a line
# for a child that died by a signal (except INT and PIPE, which therefore stay unnamed).
rj_signal() {
    signal=
    if [ "$rc" -ge 384 ]; then
        rc=$((rc - 256)) signal=$(kill -l $((rc - 128)))
    elif [ "$rc" -gt 128 ] && [ -s "death.$nonce" ]; then
        signal=$(kill -l $((rc - 128)))
    fi
}

rj_finish() { # writes the result from $state $rc $signal $msg $began; never half
    now=$(date -u '+%s %Y-%m-%dT%H:%M:%SZ')
    rj_since "$began"
    tries=0
    until printf '%s\n' "remotejobs 1" "state $state" "rc $rc" "signal $signal" "finish ${now#* }" "end_epoch ${now%% *}" \
        "delta $delta" "msg $msg" "survivors $survivors" "left $left" end 1<>"result.$nonce" && sync "result.$nonce" && mv -f "result.$nonce" result; do
        tries=$((tries + 1))
        [ "$tries" -lt 30 ] || return
        sleep 1
    done
}

rj_timer() {
    why=''
    umask 077
    heard=$began
    [ "$stall" -eq 0 ] || : >heard
    while rj_due; do rj_sleep; done
    trap - TERM
    rj_load_tree
    rj_end "$why" || { sleep "$((j_grace + 10))" && rj_take_over; }
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

# -> $due, when to look again; false when a limit is reached, and then $why is the file that says which. Silence is
# looked for ten times within the stall limit, and by whole seconds, so it may last a tenth and a second longer.
rj_due() {
    rj_clock
    due=
    if [ "$stall" -gt 0 ]; then
        # shellcheck disable=SC3013 # -nt is POSIX since 2024 and older than that in all shells
        if [ stdout -nt heard ] || [ stderr -nt heard ]; then : >heard && heard=$clock; fi
        why=heard
        [ "$clock" -lt "$((heard + stall * 100))" ] || return
        due=$((clock + stall * 10))
        [ "$due" -lt "$((heard + stall * 100))" ] || due=$((heard + stall * 100))
    fi
    [ "$limit" -gt 0 ] || return 0
    [ -n "$due" ] && [ "$due" -lt "$((began + limit * 100))" ] || due=$((began + limit * 100))
    [ "$clock" -lt "$((began + limit * 100))" ] || { why=job && return 1; }
}

# --- ending a process tree, with proof --------------------------------------------------------------------------------

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

# --- asking ----------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2034 # three of them are for queue.sh
rj_clear() {
    j_protocol='' j_label='' j_settings='' j_token='' j_cmd=cmd j_grace=10 j_boot='' j_start='' j_epoch='' j_clock=''
    j_sup='' j_sup_born='' j_timer=0 j_timer_born='' j_pid='' j_pid_born='' j_state='' j_rc='' j_signal='' j_msg='' j_survivors='' j_left='' j_runs='' j_end='' j_end_epoch='' j_delta='' j_ticket='' j_wants='' j_nonce='' j_cgroup=''
}

rj_lost() { # CAUSE MESSAGE
    j_state=lost j_cause=$1 j_msg=$2
}

# What is true of the job in this directory -> $j_state $j_cause $j_msg. `running` needs the supervisor's pid, its birth
# and the machine's boot to match; a result counts only when it is whole.
rj_judge() {
    rj_clear
    j_cause=
    if [ ! -e job ] && [ -e queued ] && rj_load queued; then
        rj_judge_queued
        return
    fi
    if ! rj_load job; then
        if [ -e job ] || [ -e ending ] || [ -e result ] || [ -s stdout ] || [ -s stderr ]; then
            rj_lost damaged "the record is damaged: $dir/job is missing or not whole"
        else
            rj_lost never "the command was not run: its start was cut off or is still under way; start it again"
        fi
        return
    fi
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
        [ "$j_timer" = 0 ] || rj_alive "$j_timer" "$j_timer_born" || [ -e ending ] ||
            j_msg="its timer $j_timer is gone: the time limit no longer holds"
    elif rj_load result; then # it ended between our two looks
        return
    elif [ -e result ]; then
        rj_lost damaged "the record is damaged: $dir/result is not whole"
    elif [ -e unwritten ]; then
        rj_lost disk_full "the command ended, but its result could not be written: disk full"
    elif rj_alive "$j_pid" "$j_pid_born"; then
        rj_lost gone "its supervising process $j_sup is gone; the command still runs as pid $j_pid"
        j_runs=1
    else
        rj_lost gone "its supervising process $j_sup is gone; the command runs no more and its rc is not known"
    fi
}

# The same when a start may be under way: its gate is whole within a moment, or it was cut off.
rj_settled() {
    tries=0
    while rj_judge && [ -z "$j_settings" ] && [ "$tries" -lt 10 ]; do rj_nap && tries=$((tries + 1)); done
}

rj_record() { # brief | full OUT_FROM ERR_FROM MAX
    rj_judge
    rj_tell "$@"
}

rj_tell() {
    printf '%s\n' "results_dir $dir" "state $j_state" "rc $j_rc" "signal $j_signal" "label $j_label" "start $j_start" \
        "end $j_end" "delta $j_delta" "pid $j_pid" "msg $j_msg" "survivors $j_survivors" "cause $j_cause" "still_runs $j_runs" "protocol $j_protocol"
    # Not of a FIFO, which would keep us.
    [ ! -f progress ] || [ ! -s progress ] || printf 'progress %s\n' "$(tail -n 1 progress | head -c 200)"
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
        rj_measured cmd "$j_cmd" 0 65536
        rj_measured stderr stderr "$2" "$3"
        rj_measured stdout stdout "$1" "$3"
        return
    fi
    rj_blob cmd "$j_cmd" "$8" 0 65536
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

rj_blob() { # NAME FILE SIZE FROM MAX: a head line and then the very bytes
    from=$4
    if [ "$from" -lt 0 ]; then from=$(($3 - $5)) && [ "$from" -gt 0 ] || from=0; fi
    [ "$from" -le "$3" ] || from=$3
    length=$(($3 - from))
    [ "$length" -le "$5" ] || length=$5
    printf 'blob %s %s %s %s\n' "$1" "$3" "$from" "$length"
    if [ "$length" -eq 0 ]; then
        :
    elif [ "$from" -eq 0 ]; then
        head -c "$length" "$2"
    else
        tail -c "+$((from + 1))" "$2" | head -c "$length"
    fi
    echo
}
