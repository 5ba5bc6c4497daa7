#!/bin/sh
# Guess:   `timeout -k 60 LIMIT runuser -u USER COMMAND` gives COMMAND 60 s to clean up after TERM, as it has without runuser.
# Seen:    su and runuser (with -u too) stay beside the command, hand TERM on, and send KILL two seconds later, whatever -k says.
#          The exit code is 124, as if COMMAND had come to its end. `setpriv --reuid` becomes COMMAND, which has all its time.
# Version: util-linux 2.38.1 (Debian 12). Needs root.
# Matters: a backup that removes its part file, a migration that rolls back, a server that stops in order: all need more than two
#          seconds, just when it counts. It is the same with TERM from anything else, be it a service manager or a kill.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
[ "$(id -u)" = 0 ] || { echo "run it as root" && exit 2; }
apt-get download -qq util-linux=2.38.1-5+deb12u3 > /dev/null 2>&1
dpkg-deb -x util-linux_*.deb root
"$work/root/sbin/runuser" --version | sed 's|.*/||'
user=nobody number=$(id -u nobody)

# It needs four seconds to clean up.
cat > job << 'END'
trap 'sleep 4; echo cleaned; exit' TERM
while :; do sleep 0.1; done
END
results=
try() { # NAME COMMAND...
    name=$1
    shift
    began=$(date +%s)
    timeout -k 60 1 "$@" job > said 2> /dev/null && code=0 || code=$?
    cleaned=$(grep cleaned said || echo "not cleaned")
    echo "$name: $cleaned, ended $(($(date +%s) - began - 1)) s after TERM; exit code $code"
    results="$results $cleaned $code,"
}
try setpriv setpriv --reuid="$number" --clear-groups sh
try 'runuser -u' "$work/root/sbin/runuser" -u "$user" -- sh
try su "$work/root/bin/su" -s /bin/sh "$user"
[ "$results" = " cleaned 124, not cleaned 124, not cleaned 124," ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
