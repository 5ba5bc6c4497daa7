# shellcheck shell=sh disable=SC2154
# What a migration asks a host beside its jobs and its lock. Sent behind job.sh and lock.sh, whose functions it uses.

# DIRECTORY LOCK PATH ('' for the home): the lock's holder, and what is free there. Changes nothing.
mg_check() {
    lk_check "$1" "$2" || return
    space=${3:-$HOME}
    [ -e "$space" ] || rj_fail no_such_path "$space does not exist there" || return
    printf 'free_kib %s\n' "$(df -Pk "$space" | awk 'NR == 2 { print $4 }')"
}

# DIRECTORY CHDIR ('' for the home), then for each command STEP TEXT PROGRAM FILE ('' for what is not known): what cannot
# work, a line each. Runs none.
mg_commands() {
    if ! cd "${2:-$HOME}" 2>/dev/null; then
        mg_wrong "$3" "there is no directory $2 that may be entered there"
        return
    fi
    shift 2
    while [ $# -gt 3 ]; do
        if ! said=$(printf '%s\n' "$2" | sh -n 2>&1); then
            mg_wrong "$1" "the shell there does not understand it: $(printf '%s' "$said" | head -n 1)"
        else
            mg_program "$1" "$3" && mg_file "$1" "$4"
        fi
        shift 4
    done
}

mg_program() { # STEP PROGRAM
    [ -n "$2" ] || return 0
    command -v "$2" >/dev/null && case $2 in */*) [ -f "$2" ] && [ -x "$2" ] ;; esac && return
    case $2 in
    */*) if [ -f "$2" ]; then mg_wrong "$1" "$2 may not be executed there"; else mg_wrong "$1" "there is no program $2"; fi ;;
    *) mg_wrong "$1" "there is no command $2 there" ;;
    esac
    return 1
}

mg_file() { # STEP FILE
    [ -n "$2" ] || return 0
    [ -r "$2" ] || mg_wrong "$1" "there is no file $2 that may be read there"
}

mg_wrong() { # STEP WORDS
    printf 'wrong_%s %s\n' "$1" "$2"
}

# DIRECTORY GRACE JID...: ends what is left of the processes of jobs that have ended, and names what survived.
mg_prove() {
    rj_base "$1" || return
    grace=$2 alive=
    shift 2
    for jid in "$@"; do
        [ -d "$base/$jid" ] || continue
        rj_enter "$jid" && mg_sweep || return
        alive="$alive${survivors:+ $jid: $survivors}"
    done
    printf 'survivors %s\n' "${alive# }"
}

mg_sweep() { # the job in this directory -> $survivors
    survivors=
    rj_state
    case $j_state:$j_cause in
    running:) survivors="$j_pid(still running)" && return ;;
    elsewhere:*) survivors="unknown ($j_msg)" && return ;;
    lost:never | lost:rebooted) return ;; # it never ran, or no process outlived the reboot
    lost:gone) rj_untimed ;;
    esac
    rj_load_tree
    if [ -z "$j_token" ]; then survivors="unknown (the record is damaged)" && return; fi
    rj_scan
    rj_sweep "$((grace * 100))"
    rj_survivors
}

# DIRECTORY JID...: what jobs that ended by themselves left running, by name. Ends nothing; a process that cannot be seen is not named.
mg_left() {
    rj_base "$1" || return
    running=
    shift
    for jid in "$@"; do
        [ -d "$base/$jid" ] || continue
        rj_enter "$jid" || return
        rj_state
        case $j_state in succeeded | failed) ;; *) continue ;; esac
        rj_load_tree
        [ -n "$j_token" ] || continue
        rj_scan
        [ -n "$tree" ] || continue
        rj_survivors
        running="$running $jid: $survivors"
    done
    printf 'left %s\n' "${running# }"
}

# CHDIR PSQL SQL, then NAME=VALUE...: the answer of psql to SQL, or why there is none. PSQL is shell text to which
# options are appended; what else it prints, an env file for example, is not the answer.
mg_psql() {
    cd "${1:-$HOME}" || return
    text=$2 sql=$3 within=
    shift 3
    if command -v timeout >/dev/null; then within="timeout 30"; fi
    # shellcheck disable=SC2086 # two words, or none
    if said=$(PGCONNECT_TIMEOUT=10 env "$@" PGAPPNAME=remotejobs $within sh -c "$text \"\$@\"" psql \
        -XAtqw -v ON_ERROR_STOP=1 -c "SELECT 'answer ' || ($sql)" </dev/null 2>&1); then
        printf '%s\n' "$said" | grep '^answer ' || printf 'refused %s\n' "it printed no answer: $(mg_last)"
    else
        printf 'refused rc %s: %s\n' "$?" "$(mg_last)"
    fi
}

mg_last() { # the last line of $said that says something
    printf '%s\n' "$said" | grep . | tail -n 1
}
