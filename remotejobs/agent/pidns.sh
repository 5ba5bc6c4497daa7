# shellcheck shell=sh disable=SC2016,SC2034,SC2154
# A pid namespace for a job of root. Nobody leaves it, and when its first process ends, the kernel kills all that are in
# it before that end can be seen. Sent behind job.sh with a start whose launcher is `pidns`.

# -> $first, what the first process runs. False, with the reason said, where there can be none.
rj_pidns() {
    if [ "$(id -u)" != 0 ]; then
        why='only root can have one'
    elif why=$(unshare --pid --fork --kill-child --mount --propagation unchanged true 2>&1); then
        first=$rj_first
        return
    fi
    echo "no pid namespace for it: $(printf '%s' "$why" | tr '\n' ' '); or start it with the launcher plain" >&3
    return 1
}

# The first process writes down, while it sees the /proc of the host, its own pid and birth there. Then it mounts the
# /proc of the namespace, which no other process sees, while what the job itself mounts is seen by all. It stays beside
# the command, because it has to bury what is orphaned; what the shell says about a death by signal is not the job's.
rj_first='note() { echo "$pid ${20}"; }
read -r pid rest </proc/self/stat
(umask 077; note ${rest##*) } >"$REMOTEJOBS_DIR/first")
mount --make-private /proc && mount -t proc proc /proc || exit 126
exec 9>&2 2>/dev/null
"$@" 2>&9 9>&-
exit'
