#!/bin/sh
# Guess:   what a ProxyCommand or a jump host's ssh says on standard error is shown by ssh, however the connection is shared.
# Seen:    with ControlPersist it goes to /dev/null. Only "Connection closed by UNKNOWN port 65535" is left, whether the jump
#          host's key has changed, its login was refused or its name is unknown. ssh_config(5) does not say so.
# Version: OpenSSH 9.2p1 (Debian 12).
# Matters: Ansible switches ControlPersist on for every host, and so do many ssh_configs. A program that reads ssh's words
#          takes a refusal that lasts for a lost connection, and tries it again and again.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq openssh-client=1:9.2p1-2+deb12u10 > /dev/null 2>&1
dpkg-deb -x openssh-client_*.deb root
ssh=$work/root/usr/bin/ssh
"$ssh" -V 2>&1

# The first words of each way; none of them gets in.
try() {
    said=$work/$1
    shift
    "$ssh" -F none -T -M -S "$work/socket" -o BatchMode=yes "$@" \
        -o 'ProxyCommand=sh -c "echo the tunnel is shut >&2; exit 1"' -- host true < /dev/null 2> "$said" || true
    printf '%s:\n' "${said##*/}"
    sed 's/^/    /' "$said"
}
try without-ControlPersist
try with-ControlPersist -o ControlPersist=60
if ! grep -q 'the tunnel is shut' without-ControlPersist || grep -q 'the tunnel is shut' with-ControlPersist; then
    echo "CHANGED: it is not as the header says any more"
    exit 1
fi
grep -q 'UNKNOWN port 65535' with-ControlPersist
