# shellcheck shell=sh
# Restarts one unit of systemd and believes in it only after it stayed active. Python puts one call of un_restart below.

un_restart() { # UNIT SECONDS
    unit=$1 stay=$2
    systemctl restart -- "$unit" || un_fail "systemctl restart ended with $?"
    if [ "$(un_show Type)" = oneshot ] && [ "$(un_show RemainAfterExit)" = no ]; then
        [ "$(un_show Result)" = success ] || un_fail "it ended with $(un_show Result)"
    else
        restarts=$(un_show NRestarts)
        while :; do
            state=$(un_show ActiveState)
            [ "$state" = active ] || un_fail "it is $state $(($2 - stay)) s after its restart"
            [ "$(un_show NRestarts)" = "$restarts" ] || un_fail "it was started again by systemd: it does not stay up"
            [ "$stay" -gt 0 ] || break
            sleep 1
            stay=$((stay - 1))
        done
    fi
    printf '%s: %s, pid %s, since %s\n' "$unit" "$(un_show ActiveState)" "$(un_show MainPID)" "$(un_show ActiveEnterTimestamp)"
}

un_show() { systemctl show --property "$1" --value -- "$unit"; }

un_fail() { # REASON
    systemctl status --no-pager --full --lines 10 -- "$unit" >&2
    printf '%s: %s\n' "$unit" "$1" >&2
    exit 1
}
