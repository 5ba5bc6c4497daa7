# shellcheck shell=sh disable=SC2034,SC2154
# What surrounds a backup: when it may begin, how gently it runs, and the plan's own commands before and after the dump.
# Sent behind backup.sh.
#
# Settings: WINDOW (22:00-06:00 by this host's clock, or '') NICE (0 to 19) IO ('', low or idle), and the functions bk_before
#           and bk_after, which call bk_hook for each command

bk_may_begin() {
    [ -n "$WINDOW" ] || return 0
    now=1$(date +%H%M) from=${WINDOW%-*} to=${WINDOW#*-}
    from=1${from%:*}${from#*:} to=1${to%:*}${to#*:}
    if [ "$from" -le "$to" ]; then
        [ "$now" -lt "$from" ] || [ "$now" -ge "$to" ] || return 0
    else
        [ "$now" -lt "$from" ] && [ "$now" -ge "$to" ] || return 0
    fi
    bk_fail "it is $(date +%H:%M) on this host, outside the window $WINDOW; nothing was started"
}

bk_gently() { # for this shell, and all that it starts
    [ "$NICE" = 0 ] || renice -n "$NICE" -p $$ >/dev/null 2>&1 || echo "renice is not there, or refused: running as usual"
    case $IO in
    low) ionice -c 2 -n 7 -p $$ 2>/dev/null ;;
    idle) ionice -c 3 -p $$ 2>/dev/null ;;
    esac || echo "ionice is not there, or refused: reading and writing as usual"
}

bk_run_before() { # from here on the commands of after are run, however it ends
    [ "${hooked:-}" != above ] || return 0
    hooked=yes
    bk_before
}

bk_run_after() { # STATE: made or failed
    [ "${hooked:-}" = yes ] || return 0
    hooked='' BACKUP_STATE=$1
    export BACKUP_STATE
    bk_unbound # what they start may write as much as it likes
    bk_after
}

bk_hook() { # before or after, and a command
    printf '%s: %s\n' "$1" "$(bk_line "$2")"
    BACKUP_ITEM=$ITEM
    export BACKUP_ITEM
    hook_code=0
    sh -c "$2" </dev/null || hook_code=$?
    [ "$hook_code" -ne 0 ] || return 0
    [ "$1" = after ] || bk_fail "the command before it ended with $hook_code: $(bk_line "$2")"
    bk_warn "the command after it ended with $hook_code: $(bk_line "$2")"
}
