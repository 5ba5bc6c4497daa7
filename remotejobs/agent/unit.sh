# shellcheck shell=sh disable=SC2034,SC2154
# A unit of systemd for a job, so that logging out does not end it. Sent behind job.sh with a start, unless its launcher
# is `plain`.

# Move this supervisor into a transient scope, when that was asked for or logind ends what a login leaves behind.
# -> $cgroup, for the command alone; empty without cgroup v2. False, with the reason said, where it cannot be.
rj_unit() {
    if [ "$launcher" = auto ]; then
        { read -r at <"$rj_proc/self/cgroup"; } 2>/dev/null || return 0
        case $at in */session-*) ;; *) return 0 ;; esac
        at=/org/freedesktop/login1
        case $(busctl get-property org.freedesktop.login1 "$at" org.freedesktop.login1.Manager KillUserProcesses) in
        *true) ;;
        *) return 0 ;;
        esac
    fi
    eval "${rj_more-}"
    uid=$(id -u) user=$(id -un)
    if [ ! -d /run/systemd/system ] || ! command -v busctl >/dev/null; then
        rj_no_unit "systemd does not run there, or has no busctl"
    elif [ "$uid" = 0 ]; then
        rj_scope --system
    elif [ ! -e "/var/lib/systemd/linger/$user" ]; then
        rj_no_unit "all processes of $user end at logout; let root run once: loginctl enable-linger $user"
    elif [ ! -S "/run/user/$uid/bus" ]; then
        rj_no_unit "$user has no bus in /run/user/$uid; install dbus-user-session and log in again"
    else
        rj_scope --user
    fi
}

rj_no_unit() { # WHY
    echo "no unit of systemd for it: $1; or start it with the launcher plain" >&3
    return 1
}

rj_scope() { # MANAGER
    unit=remotejobs-$jid-$nonce.scope at=/org/freedesktop/systemd1
    # systemd-run could only begin another program in a scope; this shell stays what it is.
    why=$(XDG_RUNTIME_DIR=/run/user/$uid busctl "$1" call org.freedesktop.systemd1 "$at" org.freedesktop.systemd1.Manager \
        StartTransientUnit 'ssa(sv)a(sa(sv))' "$unit" fail 3 PIDs au 1 "$sup" Delegate b true \
        Description s "remotejobs $jid" 0 2>&1) || rj_no_unit "$(printf '%s' "$why" | tr '\n' ' ')" || return
    tries=0
    until at=$(grep "/$unit\$" "$rj_proc/$sup/cgroup"); do
        [ "$tries" -lt 100 ] || rj_no_unit "systemd did not take the process into $unit" || return
        tries=$((tries + 1))
        rj_nap
    done
    # The command gets a part of it for itself: what is in there is the job's, however it hides.
    cgroup=/sys/fs/cgroup${at##*::}/job
    mkdir "$cgroup" || cgroup=
}
