# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# The agent: what of remotejobs runs on the host. Python sends what a request needs of this text and the others beside it to
# `sh -s`, and calls one entry at its end: rj_start, or one of query.sh. It needs a POSIX shell and the usual small tools
# (mkdir, ln, mv, rm, ls, head, tail, tr, grep, awk, date, sleep, sync, mkfifo); where they are missing, ARCHITECTURE.md
# says what is lost. Nothing is installed.
#
# Files of a job's directory (0700; each file 0600), in the order in which they come to be:
#   cmd[.N]    the command, as it was sent                                 written by rj_start
#   events     FIFO; its write end is held open by the supervisor, so readers wake when it ends, however it ends
#   job        THE GATE: what supervises, what runs, since when. A link to what has been written whole, and on disk *before*
#              the command runs: the process that makes it runs the command, which so runs at most once, however often it is started.
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

# Into $dir, but not where another user put it: in a directory that others can write, it could be made before us.
# shellcheck disable=SC3067
rj_own() { [ ! -L "$dir" ] && { cd "$dir"; } 2>/dev/null && [ -O . ]; }

# Is $dir still the name of the directory that we are in? A process that hung may wake where another one is.
# shellcheck disable=SC3013 # -ef is POSIX since 2024 and older than that in all shells
rj_named() { [ . -ef "$dir" ]; }

rj_enter() { # JID -> in its directory, with $dir. False, with an error said, when there is none.
    rj_valid "$1" || return 1
    jid=$1 dir=$base/$1
    rj_own && return 0 # bash would return what was before, where this is run in a trap
    rj_readable && rj_fail no_such_job "$dir does not exist"
}
