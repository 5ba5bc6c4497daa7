#!/bin/sh
# Guess:   `Match final` makes ssh read its files a second time; `Match !final`, which is about the first time, does not.
# Seen:    it does too. With it, though no CanonicalizeHostname is set, blocks of `Match canonical` and `Match final` count:
#          one line changes the port of another block, which by itself never applies.
# Version: OpenSSH 9.2p1 (Debian 12).
# Matters: a line that somebody adds for one host (`Match !final host x`) sends long jobs of all others to another
#          port or user, if a block for canonical names stands in the file or in ssh_config.d.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq openssh-client=1:9.2p1-2+deb12u10 > /dev/null 2>&1
dpkg-deb -x openssh-client_*.deb root
ssh=$work/root/usr/bin/ssh
"$ssh" -V 2>&1

port() { "$ssh" -G -F "$1" db1 < /dev/null 2> /dev/null | sed -n 's/^port //p'; }
printf 'Match canonical\n  Port 2201\n' > without
printf 'Match canonical\n  Port 2201\nMatch !final host other\n' > with
echo "a block for canonical names gives db1 the port $(port without); with a Match !final beside it $(port with)"
[ "$(port without) $(port with)" = "22 2201" ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
