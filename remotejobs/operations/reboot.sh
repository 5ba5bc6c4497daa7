# shellcheck shell=sh disable=SC2154
# Reboots this host once. Sent behind job.sh, whose rj_boot and rj_fail it uses; answers with lines of `key value`.

rb_check() {
    rj_boot
    printf 'boot %s\n' "$boot"
}

# BOOT COMMAND: only where that boot still lasts, since a question whose answer was lost is asked again.
rb_reboot() {
    rb_check
    [ "$boot" = "$1" ] || return
    said=$(sh -c "$2" 2>&1 </dev/null) || rj_fail "$?" "$(printf '%s' "$said" | tr '\n' ' ')"
}
