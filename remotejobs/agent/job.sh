# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# The agent: what of remotejobs runs on the host. Python sends what a request needs of this text and the others beside it to
# `sh -s`, and calls one entry at its end: rj_start, or one of query.sh. It needs a POSIX shell and the usual small tools
# (mkdir, ln, mv, rm, ls, head, tail, tr, grep, awk, date, sleep, sync, mkfifo); where they are missing, ARCHITECTURE.md
# says what is lost. Nothing is installed.
#
# Files of a job's directory (0700; each file 0600), in the order in which they come to be:
#   cmd[.N]    the command, as it was sent                                 written by rj_start
#   events     FIFO; its write end is held open by the supervisor, so readers wake when it ends, however it ends
#   job        THE GATE: who supervises, who runs, since when. A link to what has been written whole, and on disk *before*
#              the command runs: whoever makes it runs the command, so that runs at most once, whoever starts it again.
#              The reaper makes it (adopt.pl), and the command adds its number behind the end; else rj_launch does both
#   stdout, stderr                                                         written by the command
#   progress   its last line says how far it is                            written by the command, if it likes
#   heard      empty; what the end of a job by its idle timeout is a link to
#   processes  what ran when a limit ended the job: lines as ps writes     written by the process that ended it
#   ending     why the job ends, by what it is a hard link to: the first to link it wins, and linking needs no space.
#              job: its time limit; heard: its idle timeout; cmd: a kill; nothing else: it ended by itself
#   known      the processes that the end begins with, as pid:birth, for one that takes it over
#   proof      what was left of the process tree after it was ended        written by what ended it: a line for
#              people and one of pid:birth for a later kill
#   first      the first process of the job's pid namespace, where it has one         written by that
#   void.PID.BIRTH  a process that is about to take this directory away
#   result     the end: rc, signal, state. Space for it is reserved at the start, for a disk that is full by then
# and of a job that has to wait for a lock or a slot those that queue.sh names.
#
# Every file of `key value` lines closes with the line `end`; one without it is not whole and is not believed.
#
# Programs that print nothing we pass on run with LC_ALL=C: to read a locale costs a third of most of them.

# Before the first function: request.py closes a group there.
rj_proc=/proc
host=
rj_gone='was taken away by a kill or a clean while it was started'
renamed= # the directory whose host was found to be this one by another name

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

# Which host this is -> $host, `MACHINE-ID WORLD NAME`, each `-` where it is not known, and $boot, what the number of a
# process is good for: WORLD, when the first process was born, distinguishes the containers of one machine.
rj_host() {
    [ -z "$host" ] || return 0
    rj_boot
    machine='' world='' host_born=$born
    { read -r machine </etc/machine-id || read -r machine </var/lib/dbus/machine-id; } 2>/dev/null
    [ ! -d "$rj_proc/self" ] || ! rj_stat 1 || world=$born
    born=$host_born
    { read -r host <"$rj_proc/sys/kernel/hostname"; } 2>/dev/null || host=$(uname -n)
    host=${host%%.*} # the kernel has it with or without its domain
    case $host in '' | *[!A-Za-z0-9_-]*) host=- ;; esac
    case $machine in '' | *[!0-9a-f]*) machine=- ;; esac
    host="$machine ${world:--} $host"
}

# PID -> $pstate $parent $group $session $threads $born. False when there is no such process. A pid alone proves nothing,
# a pid born then does.
rj_stat() {
    if [ -d "$rj_proc/self" ]; then
        { IFS= read -r stat <"$rj_proc/$1/stat"; } 2>/dev/null || return 1
        set -f
        # shellcheck disable=SC2086 # the fields behind the last ")" are meant to be split
        set -- ${stat##*) }
        set +f
        pstate=$1 parent=$2 group=$3 session=$4 threads=${18} born=${20}
    else
        stat=$(LC_ALL=C ps -o stat= -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _) || return 1
        [ -n "$stat" ] || return 1
        pstate=${stat%"${stat#?}"} born=${stat#*_} parent='' group='' session='' threads=1
    fi
}

# PID BORN. A process whose main thread has ended looks like a dead one that waits for its parent, but for its threads.
rj_alive() {
    rj_stat "$1" && [ "$born" = "$2" ] || return
    case $pstate:$threads in [ZX]:1 | [ZX]:0) return 1 ;; esac
}

rj_self() { # -> $me $born of this very process, which in a subshell is not $$
    if [ -d "$rj_proc/self" ]; then
        rj_stat self && me=${stat%% *}
    else
        me=$(exec sh -c 'echo "$PPID"')
        rj_stat "$me"
    fi
}

# RJ_END is set by the controller: a line that only it knows
rj_close() { printf '%s\n' "$RJ_END"; }

rj_fail() { # CODE MESSAGE
    printf 'error %s %s\n' "$1" "$2"
    return 1
}

# Does this shell read all bytes? yash reads characters of its locale, and ends at what is none.
rj_reads() {
    [ -n "${YASH_VERSION-}" ] || return 0
    word=$(printf '\303\251') && [ "${#word}" -eq 1 ]
} 2>/dev/null

rj_unread() {
    rj_fail start_failed "the sh there is yash, which reads no bytes above 127 in the locale ${LC_ALL:-${LC_CTYPE:-${LANG:-C}}}; \
set a UTF-8 locale for the login there, or write the job in ASCII"
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
        user='' home=$HOME
        [ -n "${no_room-}" ] || user=$(id -un)
        case $user in '' | *[!A-Za-z0-9._-]*) ;; *) eval "home=~$user" ;; esac
        case $1 in '') base=$home/.remotejobs ;; *) base=$home${1#'~'} ;; esac
        ;;
    *) rj_fail bad_dir "the directory $1 is not absolute" ;;
    esac
}

# Into $dir, but not where another user put it: in a directory that others can write, he could make it before us.
# shellcheck disable=SC3067
rj_own() { [ ! -L "$dir" ] && { cd "$dir"; } 2>/dev/null && [ -O . ]; }

# Is $dir still the name of the directory that we are in? Whoever hung may wake where another stands.
# shellcheck disable=SC3013 # -ef is POSIX since 2024 and older than that in all shells
rj_named() { [ . -ef "$dir" ]; }

rj_enter() { # JID -> in its directory, with $dir. False, with an error said, when there is none.
    rj_valid "$1" || return 1
    jid=$1 dir=$base/$1
    rj_own && return 0 # bash would return what was before, where this is run in a trap
    rj_readable && rj_fail no_such_job "$dir does not exist"
}

# --- start -----------------------------------------------------------------------------------------------------------

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
    # Whoever makes the directory writes cmd. Whoever finds it without a gate (a start that was cut off) brings a file
    # of his own, and the gate decides.
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

# "CLOCK PID DATE": what the record of a job says that has just begun, from the one that is about to become its command.
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
