# shellcheck shell=sh disable=SC2015,SC2016,SC2034,SC2089,SC2090,SC2154
# The reaper: a process between the supervisor and the command to which every orphan of the job falls, so that it can ask
# the kernel whether any process is left. Sent behind job.sh with a start. adopt.pl and reap.pl, or reaper.py, make it one and
# ask; in between it is a shell that waits, which costs a tenth of their memory. It gets what it needs of this text, and
# the words of the start, by its environment, as only its own user can read that: RJ_HEAD is what begins a job, RJ_REST
# what it reads only where it has to end one.

rj_tool() { # -> $tool, the program that can adopt; empty where there is none
    tool=
    [ -d "$rj_proc/self" ] || return
    if [ -z "${PERL5OPT-}" ] && command -v perl >/dev/null; then
        tool=perl
    elif command -v python3 >/dev/null; then
        tool=python3
    elif [ -x /usr/libexec/platform-python ]; then
        tool=/usr/libexec/platform-python
    fi
}

# Becomes $tool, and with it the reaper. mksh hands over no files but those named right here, and bash reports a death by
# signal only where it reads what it runs from its stdin.
rj_adopt() { # [NAME=VALUE ...]
    trap - HUP
    set -- "$limit $stall $grace $cmdfile $settings $nonce $token $sup $sup_born ${timer:-0} ${timer_born:-0} $began $boot $tool" \
        "$rj_proc" "$base" "$jid" "$dir" "$interpreter" "$chdir" "$label" "$wants" "$cgroup" "${queue-}" "${ticket-}" "$host" "$first" "$@"
    RJ_WORDS='' RJ_NAMES='RJ_BORN RJ_NOW RJ_WORDS RJ_NAMES RJ_HEAD RJ_REST RJ_TEXT RJ_LOCALE RJ_GATE RJ_GATED'
    RJ_GATE=$gate RJ_GATED=
    RJ_HEAD=$rj_head RJ_REST=$rj_rest$rj_over RJ_TEXT=$rj_python
    if [ "$tool" = perl ]; then
        RJ_TEXT=$rj_reap
        # Not where the command itself has to enter something first, or its supervisor must live.
        [ -n "$cgroup$wants" ] || RJ_GATED="$cmdfile gate.$nonce $dir"
    fi
    count=0
    for word in "$@"; do
        count=$((count + 1)) RJ_WORDS="$RJ_WORDS \"\$RJ_$count\"" RJ_NAMES="$RJ_NAMES RJ_$count"
        export "RJ_$count=$word"
    done
    # Neither is to read a locale, complain of one that is not there, or choose one for what it becomes.
    RJ_LOCALE=${LC_ALL-} LC_ALL=C
    export RJ_WORDS RJ_NAMES RJ_HEAD RJ_REST RJ_TEXT RJ_LOCALE RJ_GATE RJ_GATED LC_ALL
    set -- perl -e "$rj_adopts"
    [ "$tool" = perl ] || set -- "$tool" -I -S -c 'import os; exec(os.environ["RJ_TEXT"])' adopt
    if [ -n "${BASH_VERSION-}" ]; then
        exec "$@" sh -s "remotejobs $jid" 3>&3 9<>events <<'X'
eval "$RJ_HEAD"; eval "rj_reaper $RJ_WORDS"
X
    else
        exec "$@" sh -c 'eval "$RJ_HEAD"; eval "rj_reaper $RJ_WORDS"' "remotejobs $jid" 3>&3 9<>events
    fi
}

# The words of rj_adopt. What is left when the command has ended: nothing to do where it ended by itself, else to wait
# until no process is left.
rj_reaper() {
    rj_own_words "$@"
    shift 14
    trap '' HUP
    reaper=$$ reaper_born=$RJ_BORN now=$RJ_NOW gate=$RJ_GATE gated=$RJ_GATED
    { (eval "unset $RJ_NAMES"; rj_launch "$@") 9>&-; rc=$?; } 2>"death.$nonce"
    exec 3>&-
    umask 077
    rj_gate_is_ours || exit 1
    how=itself grade='' survivors='' left=''
    ! rj_exclusive ending || rj_say
    eval "$RJ_REST"
    rj_ending || rj_say
    rj_clock
    ends=$((clock + grace * 100))
    { read -r _ _ ends <prover; } 2>/dev/null
    set -- perl -e "$RJ_TEXT"
    [ "$tool" = perl ] || set -- "$tool" -I -S -c 'import os; exec(os.environ["RJ_TEXT"])' reap
    exec "$@" "$rj_proc" "$ends" sh -c 'eval "$RJ_HEAD"; rj_reaped "$@"' "remotejobs $jid" "$rc" 9<>events
}

rj_own_words() {
    rj_proc=$2 base=$3 jid=$4 dir=$5 interpreter=$6 chdir=$7 label=$8 wants=$9
    words=$1
    shift 9
    cgroup=$1 queue=$2 ticket=$3 host=$4 first=$5
    # shellcheck disable=SC2086 # words without any other signs
    set -- $words
    limit=$1 stall=$2 grace=$3 cmdfile=$4 settings=$5 nonce=$6 token=$7 sup=$8 sup_born=$9
    shift 9
    timer=$1 timer_born=$2 began=$3 boot=$4 tool=$5
    [ "$timer" != 0 ] || timer=
}

rj_reaped() { # RC GRADE SURVIVORS LEFT
    rc=$1 grade=$2 survivors=$3 left=$4 how=ended now=
    eval "rj_own_words $RJ_WORDS"
    umask 077
    # What we start from here on is not the job's.
    rj_alive "$sup" "$sup_born" || { true >reaped; } 2>/dev/null
    rj_say
}

# Reports to the supervisor, in the space of the result. Where that is dead, its work is done here.
rj_say() {
    if rj_alive "$sup" "$sup_born"; then
        printf '%s\n' "rc $rc $how ${grade:--} $now" "$survivors" "$left" 1<>"result.$nonce"
    else
        eval "$RJ_REST"
        rj_conclude
    fi
    exit 0
}

# What the reaper said -> $rc $how $grade $now $survivors $left; false when it died before.
rj_heard() {
    { read -r word rc how grade now && IFS= read -r survivors && IFS= read -r left; } <"result.$nonce" && [ "$word" = rc ] || return
    grade=${grade#-}
}
