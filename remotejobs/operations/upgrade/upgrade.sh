# shellcheck shell=sh
# Upgrades this host's packages. Python puts the settings above this text and one call below it, so the whole can be run
# again by hand. It needs apt-get and dpkg, or dnf and rpm.
#
# Settings: MANAGER (auto, apt, dnf) DIST (yes, no) LOCK_TIMEOUT (seconds)
#
# In two steps, because only the first may be broken off at any time: up_prepare fetches, up_install changes the system.

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l LC_ALL=C

up_fail() { # REASON
    printf 'upgrade failed: %s\n' "$1" >&2
    exit 1
}

up_manager() { # -> $MANAGER
    [ "$MANAGER" = auto ] || return 0
    if command -v apt-get >/dev/null; then
        MANAGER=apt
    elif command -v dnf >/dev/null; then
        MANAGER=dnf
    else
        up_fail "neither apt-get nor dnf is there"
    fi
}

# [PACKAGE...] -> $names, those of them that are installed. False when that leaves nothing to do.
up_names() {
    names=
    for name in "$@"; do
        if [ "$MANAGER" = apt ]; then
            # shellcheck disable=SC2016 # dpkg's own variables
            case $(dpkg-query -W -f '${db:Status-Want} ' "$name" 2>/dev/null) in *install*) ;; *) continue ;; esac
        else
            rpm -q "$name" >/dev/null || continue
        fi
        names="$names $name"
    done
    [ "$#" -eq 0 ] || [ -n "$names" ]
}

up_prepare() { # [PACKAGE...]: fetch what is to be installed, and change nothing
    up_manager
    up_names "$@" || return 0
    # shellcheck disable=SC2086 # a list of words
    set -- $names
    if [ "$MANAGER" = apt ]; then
        up_patiently apt-get -q update && up_apt --download-only "$@"
    else
        up_dnf --refresh upgrade --downloadonly "$@"
    fi
}

# [PACKAGE...] From here on TERM is ignored, by all that is started too: a kill of this job, or a shutdown of the host,
# waits for the package manager instead of breaking it off in the middle of a package.
up_install() {
    trap '' TERM
    up_manager
    work=${REMOTEJOBS_DIR:-$(mktemp -d)}
    up_list >"$work/before"
    if up_names "$@"; then
        # shellcheck disable=SC2086 # a list of words
        "up_${MANAGER}_install" $names || up_fail "$MANAGER ended with $?; the packages are as its output says"
    fi
    up_list >"$work/after"
    printf 'remotejobs-upgrade 1\n'
    # Of one name there may be several versions, as of kernels.
    awk '
        { versions[FILENAME, $1] = versions[FILENAME, $1] (names[$1] == FILENAME ? "," : "") $2; names[$1] = FILENAME }
        END {
            for (name in names) {
                old = versions[ARGV[1], name]; new = versions[ARGV[2], name]
                if (old != new) print "package", name, old == "" ? "-" : old, new == "" ? "-" : new
            }
        }
    ' "$work/before" "$work/after" | sort
    printf 'end\n'
}

up_apt_install() { # [PACKAGE...], after what an earlier upgrade may have left half done
    up_patiently dpkg --force-confdef --force-confold --configure -a && up_apt --yes "$@"
}

up_dnf_install() { up_dnf upgrade "$@"; }

# dnf would wait for its locks for ever.
up_dnf() { up_patiently dnf --assumeyes --setopt=exit_on_lock=True "$@"; }

up_list() { # name and version of every package
    if [ "$MANAGER" = apt ]; then
        # shellcheck disable=SC2016 # dpkg's own variables
        dpkg-query -W -f '${binary:Package} ${Version} ${db:Status-Status}\n' | awk '$3 == "installed" { print $1, $2 }'
    else
        rpm -qa --qf '%{NAME}.%{ARCH} %{EVR}\n' | sort
    fi
}

up_apt() { # --yes or --download-only [PACKAGE...]
    option=$1
    shift
    if [ "$#" -gt 0 ]; then
        set -- install --only-upgrade "$@"
    elif [ "$DIST" = yes ]; then
        set -- dist-upgrade
    else
        set -- upgrade
    fi
    up_patiently apt-get -q --yes "$option" -o DPkg::Lock::Timeout="$LOCK_TIMEOUT" \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

UP_LOCKED='Could not get lock|[Uu]nable to (acquire|lock)|lock was locked by another process|already locked by'

# COMMAND...: again, while another process holds a lock, for LOCK_TIMEOUT seconds. apt waits by itself for some of its
# locks only, old ones for none, and dpkg never; without the lock nothing was done, so trying again does no harm.
up_patiently() {
    give_up=$(($(date +%s) + LOCK_TIMEOUT)) said=$(mktemp)
    rc=0
    until "$@" 2>"$said"; do
        rc=$?
        cat "$said" >&2
        grep -Eq "$UP_LOCKED" "$said" || break
        [ "$(date +%s)" -lt "$give_up" ] || break
        echo "waiting for the lock that another process holds"
        sleep 2
        rc=0
    done
    rm -f "$said"
    return "$rc"
}

# Whether a reboot is needed: `reboot yes WHY`, `reboot no`, or `reboot unknown WHY`.
up_check() {
    if [ -e /var/run/reboot-required ]; then
        printf 'reboot yes %s\n' "$(sort -u /var/run/reboot-required.pkgs 2>/dev/null | tr '\n' ' ')"
    elif command -v needs-restarting >/dev/null; then
        needs-restarting -r 2>&1 | up_judge
    elif command -v apt-get >/dev/null; then
        # That the file is not there says something only where a program is installed that would make it.
        for maker in unattended-upgrades update-notifier; do
            [ ! -e "/etc/kernel/postinst.d/$maker" ] || { echo 'reboot no' && return; }
        done
        echo 'reboot unknown nothing there would make /var/run/reboot-required: install unattended-upgrades'
    else
        dnf needs-restarting -r 2>&1 | up_judge
    fi
}

# needs-restarting and its twin, dnf's plugin, say why in a list, and then whether it is required.
up_judge() {
    said=$(cat)
    case $said in
    *'eboot is required'*) printf 'reboot yes %s\n' "$(printf '%s' "$said" | sed -n 's/^ *\* *//p' | tr '\n' ' ')" ;;
    *'eboot should not be necessary'*) echo 'reboot no' ;;
    *) printf 'reboot unknown needs-restarting said: %s\n' "$(printf '%s' "$said" | tail -n 1)" ;;
    esac
}
